"""Components: constructs the operator's components from the settings, starts and supervises them, and stops them in
order.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import socket
import uuid
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

from reconstruction_operator import config
from reconstruction_operator.broker.backlog import BacklogReader
from reconstruction_operator.broker.dispatch import Dispatcher
from reconstruction_operator.contract.info import InstallationInfo
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.feed import Feed
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.kube.namespaces import Namespaces
from reconstruction_operator.controller.loop import polling
from reconstruction_operator.controller.loop.actor import Actor
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.brake import Brake
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.loop.reconciler import Reconciler
from reconstruction_operator.controller.loop.releases import Releases
from reconstruction_operator.controller.loop.sweeper import Sweeper
from reconstruction_operator.controller.notifications.notifier import Notifier
from reconstruction_operator.controller.notifications.sending import Sender
from reconstruction_operator.controller.probes import Check, late
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.controller.supervision import Supervisor
from reconstruction_operator.controller.writes.event_recorder import EventRecorder
from reconstruction_operator.controller.writes.publisher import Publisher
from reconstruction_operator.controller.writes.status_writer import StatusWriter
from reconstruction_operator.kube.client import Api
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.quotas import Quotas, Rules
from reconstruction_operator.planning.scheduling import DispatchWindow
from reconstruction_operator.planning.types import Timing
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

VERSION: Final = metadata.version("reconstruction-operator")
_FLUSH_SECONDS: Final = 3.0  # at a clean stop, to write the statuses that are decided
_EVENTS_SECONDS: Final = 1.0  # at a clean stop, to post the Events that wait
_HEARTBEAT_POLLS: Final = 4.0  # reads of a heartbeat within the time after which a silent worker is lost
_LAG_SECONDS: Final = 10.0  # with more lag, the event loop misses all deadlines
_ROUND_SECONDS: Final = 60.0  # maximum without a round of the loop; its longest waits are for Redis and the broker
_WRITES_SECONDS: Final = 30.0  # with older statuses in the queue of writes, users see an outdated state
_API_SECONDS: Final = 15.0  # the Lease is read or written every few seconds


class Operator:
    """All components of one process, made from the settings. Each component gets those whose facts it reads."""

    def __init__(self, api: Api, installation: Installation, stopping: asyncio.Event) -> None:
        settings = config.settings
        # in the Lease: the pod's name, and a part that is new in each process
        instance = f"{socket.gethostname()}_{uuid.uuid4()}"
        # Kubernetes: the cache of jobs, the Lease, and the writers
        self.api, self._installation = api, installation
        self.cache = Cache(management=partial(installations.management, mine=installation.mark))
        self.feed = Feed(api, self.cache, settings.WATCH_NAMESPACES, completed=_settle_memory)
        namespace, _, name = installation.lease.partition("/")
        self.election = LeaderElection(
            api,
            namespace=namespace,
            name=name,
            identity=instance,
            duration_seconds=settings.LEASE_SECONDS,
        )
        self.events = EventRecorder(api, instance=instance)
        self.writer = StatusWriter(api, self.cache, self.election, self.events)
        # Redis and the broker
        self.view = RedisView(self.election, install_id=installation.id)
        self.namespaces = Namespaces(api, self.cache)
        quotas = Quotas(settings.NAMESPACE_MAX_RUNNING, settings.NAMESPACE_MAX_WAITING, settings.NAMESPACE_MAX_HIGH)
        self.actor = Actor(
            self.view.state,
            api,
            Dispatcher(),
            BacklogReader(),
            keys=self.view.keys,
            install_id=installation.id,
            namespaces=self.namespaces,
            quotas=quotas,
        )
        # The loop
        timing = Timing(**{field.name: getattr(config, field.name.upper()) for field in dataclasses.fields(Timing)})
        window = DispatchWindow(
            queue=settings.DISPATCH_WINDOW,
            namespace=settings.DISPATCH_NAMESPACE_WINDOW,
            total=settings.DISPATCH_TOTAL_WINDOW,
            total_bytes=settings.DISPATCH_TOTAL_BYTES,
        )
        admission = Admission(self.cache, self.view.queues, window, Rules(quotas, settings.POOL_NAMESPACES))
        self.orphans = Orphans(self.view.observer, self.actor, installation, timing=timing)
        self.brake = Brake(settings.ORPHANS_AT_ONCE, settings.ORPHANS_SHARE)
        self.sweeper = Sweeper(
            api,
            self.view,
            self.cache,
            self.orphans,
            self.brake,
            Releases(self.view, self.brake, installation.id),
            election=self.election,
            installation=installation,
            sweep_seconds=settings.SWEEP_SECONDS,
            list_seconds=settings.LIST_SECONDS,
            details_seconds=settings.PROTOCOL_RETENTION_SECONDS,
        )
        self.preflight = Preflight(
            self.cache, self.view, self.election, installation.id, after_seconds=settings.PREFLIGHT_SECONDS
        )
        self.reconciler = Reconciler(
            self.cache,
            self.view,
            self.election,
            self.actor,
            self.writer,
            admission,
            self.orphans,
            timing=timing,
            batch_seconds=settings.BATCH_SECONDS,
            installation=installation,
            preflight=self.preflight,
        )
        keys = Path(settings.NOTIFICATION_KEYS) if settings.NOTIFICATION_KEYS else None
        self.notifier = Notifier(
            api,
            self.cache,
            self.election,
            self.events,
            Sender(settings.NOTIFICATION_HOSTS, keys),
            timing,
            retry_seconds=settings.NOTIFICATION_RETRY_SECONDS,
            gallery=settings.GALLERY_ADDRESS,
        )
        self.supervisor = Supervisor(stopping)

    async def start(self) -> None:
        """Start all tasks."""
        period = min(1.0, config.settings.LOST_AFTER_SECONDS / _HEARTBEAT_POLLS)
        start = self.supervisor.start
        start("loop lag", self.supervisor.measure_lag())
        start("lists", self.feed.run())
        start("status writer", self.writer.run())
        start("events", self.events.run())
        start("notifications", self.notifier.run())
        start("publisher", Publisher(self.api, self.election, self.info).run())
        start("connection to Redis", self.view.connection.run())
        start("queues", polling.poll_queues(self.cache, self.view, self.actor, self.orphans, self.election))
        start("results", polling.poll_results(self.cache, self.view))
        start("heartbeats", polling.poll_heartbeats(self.cache, self.view, self.election, period_seconds=period))
        start("preflight", self.preflight.run())
        start("reconciler", self.reconciler.run())
        start("sweeper", self.sweeper.run())
        start("election", self.election.run())

    async def stop(self) -> None:
        """Graceful shutdown in a few seconds: write what is decided, release the Lease, and end all tasks."""
        await self.supervisor.stop("reconciler", "sweeper")  # from here on no new decisions
        leading = self.election.leading
        if leading and not self.supervisor.crashed and not await self.writer.flush(_FLUSH_SECONDS):
            _log.warning("Some statuses were not written before shutdown; the next leader plans them again")
        await self.supervisor.stop()
        if leading:
            await self.election.release()
            await self.events.flush(_EVENTS_SECONDS)
        self.feed.close()
        self.actor.close()
        await self.view.close()
        self.supervisor.stopping.set()  # one of kopf's tasks waits for it, and kopf waits for its tasks

    def health(self) -> Sequence[Check]:
        """Return checks that fail if a restart would help."""
        crashed = ", ".join(self.supervisor.crashed)
        return (
            Check("tasks", f"crashed: {crashed}" if crashed else ""),
            Check("lag", late("the event loop is late by", self.supervisor.lag_seconds, _LAG_SECONDS)),
            Check("loop", late("no round of the loop for", self.reconciler.idle_seconds, _ROUND_SECONDS)),
            Check("watch", "the watch sends no requests to the API server" if self.feed.dead else ""),
        )

    def readiness(self) -> Sequence[Check]:
        """Return checks that fail while the operator cannot work."""
        silent = min(self.api.silent_seconds, _API_SECONDS + 1)
        return (
            Check("api", late("no response from the API server for", silent, _API_SECONDS)),
            Check("watch", "no watch response yet, or the last one is too old" if self.feed.stale else ""),
            Check("jobs", "" if self.cache.listed.is_set() else "the first list of jobs is not complete"),
            Check("redis", self.view.connection.problem),
            Check("lease", "" if self.election.leading or self.election.holder else "no replica leads yet"),
            Check("loop", "the loop has not started" if self.election.leading and not self.reconciler.serving else ""),
        )

    def info(self) -> InstallationInfo:
        """Return what is published of this installation."""
        problems = {
            "RedisUnreachable": bool(self.view.connection.problem),
            "RedisEvicts": self.view.connection.evicts,
            "RedisNearlyFull": self.view.queues.paused,
            "LoopLate": any(check.problem for check in self.health()),
            "WritesRefused": self.writer.refused,
            "WritesLate": self.writer.writes.lag_seconds() > _WRITES_SECONDS,
            "DeletionsHeld": self.brake.holds,
            "NamespacesUnreadable": self.namespaces.unreadable,
        }
        return InstallationInfo(
            version=VERSION,
            lease=self._installation.lease,
            narrowed=bool(config.settings.WATCH_NAMESPACES),
            gallery=config.settings.GALLERY_ADDRESS,
            schemes=config.settings.STORAGE_SCHEMES,
            pools=config.settings.METRICS_POOLS,
            problems=tuple(name for name, exists in problems.items() if exists),
            workers=self.view.catalogue.workers,
            complete=self.view.queues.known,
        )

    def measure(self) -> None:
        """Update the gauges."""
        for phase, number in self.cache.counts.phases().items():
            metrics.JOBS.labels(phase.value).set(number)
        metrics.QUEUE_JOBS.clear()
        for phase, demand in self.cache.counts.demand.items():
            for label, number in metrics.QUEUES.total({**dict.fromkeys(metrics.QUEUES, 0), **demand}).items():
                metrics.QUEUE_JOBS.labels(label, phase.value).set(number)
        metrics.CONTESTED.set(self.cache.counts.contested)
        metrics.DIRTY.set(self.cache.queued)
        metrics.UNSENT.set(self.cache.count_unsent())
        metrics.LEADER.set(self.reconciler.serving)
        metrics.WATCH_AGE.set(self.feed.answered_seconds() or 0.0)
        self.writer.writes.measure()


def _settle_memory() -> None:
    """Exclude the listed jobs from garbage collection: most of them will never change again."""
    gc.collect()
    gc.freeze()
