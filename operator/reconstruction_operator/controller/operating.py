"""The parts of a running operator: put together, started, and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Sequence
from typing import Final

import redis.asyncio

from reconstruction_operator import config
from reconstruction_operator.api.status import Status
from reconstruction_operator.broker import dispatch
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import Record
from reconstruction_operator.controller import measuring, tracing
from reconstruction_operator.controller.kube.client import Api
from reconstruction_operator.controller.kube.election import Election
from reconstruction_operator.controller.kube.event_recorder import EventPoster
from reconstruction_operator.controller.kube.status_writer import StatusWriter
from reconstruction_operator.controller.kube.watch import WatchAge
from reconstruction_operator.controller.loop.actor import Actor
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.reconciler import Parts, Reconciler
from reconstruction_operator.controller.loop.sweeper import Periods, Sweeper
from reconstruction_operator.controller.loop.timers import Timers
from reconstruction_operator.controller.redis_view import heartbeats, subscription
from reconstruction_operator.controller.redis_view.connection import Contact
from reconstruction_operator.controller.redis_view.liveness import LivenessTracker
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.controller.redis_view.queues import QueueWatch
from reconstruction_operator.controller.supervising import LoopLag, Supervisor
from reconstruction_operator.planning.types import Event, Job, Timing
from reconstruction_operator.state import connections

_log = logging.getLogger(__name__)

_FLUSH_SECONDS: Final = 3.0  # for what is decided and not yet written, at a clean stop
_EVENTS_SECONDS: Final = 1.0
_HEARTBEAT_LOOKS: Final = 4.0  # in the time after which a silent worker is lost
_GAP_SECONDS: Final = 5.0  # between two looks at a silent worker: more, and its silence is counted anew


def timing() -> Timing:
    """The settings that plans depend on."""
    return Timing(
        lost_after_seconds=config.settings.LOST_AFTER_SECONDS,
        epoch_grace_seconds=config.settings.EPOCH_GRACE_SECONDS,
        resend_seconds=config.settings.RESEND_SECONDS,
        backoff_seconds=config.settings.BACKOFF_SECONDS,
        backoff_max_seconds=config.settings.BACKOFF_MAX_SECONDS,
        cancel_ttl_seconds=config.CANCEL_TTL_SECONDS,
        progress_seconds=config.settings.PROGRESS_SECONDS,
    )


def identity() -> str:
    """Who we are in the Lease: the pod's name, and what no restarted process shares with its predecessor."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Operator:
    """All parts of one process, made from the settings."""

    def __init__(self, api: Api, *, install_id: str, namespaces: Sequence[str], stopping: asyncio.Event) -> None:
        self.api = api
        self.state: redis.asyncio.Redis = connections.async_state_client()
        self.result_backend: redis.asyncio.Redis = connections.async_results_client()
        keys = Keys()
        me = identity()
        self.supervisor = Supervisor(stopping)
        self.lag = LoopLag()
        self.watch_age = WatchAge()
        self.store = Store()
        self.election = Election(
            api,
            namespace=config.settings.OPERATOR_NAMESPACE,
            name=config.settings.LEASE_NAME,
            identity=me,
            duration_seconds=config.settings.LEASE_SECONDS,
        )
        timers = Timers()
        liveness = LivenessTracker(_GAP_SECONDS)
        self.observer = Observer(self.state, self.result_backend, keys=keys, liveness=liveness)
        self.actor = Actor(self.state, api, dispatch.Dispatcher(), keys=keys, install_id=install_id)
        self.writer = StatusWriter(
            api,
            self.store,
            writes_per_second=config.settings.WRITES_PER_SECOND,
            allowed=self.leading,
            stored=self._stored,
            again=lambda key, seconds: timers.wake(key, time.monotonic() + seconds),
        )
        self.poster = EventPoster(api, self.writer, instance=me)
        self.admission = Admission(self.store, window=config.settings.DISPATCH_WINDOW)
        self.orphans = Orphans(
            self.observer, self.actor, timing=timing(), ours=lambda record: _watched(record, install_id, namespaces)
        )
        self.sweeper = Sweeper(
            api,
            self.state,
            self.store,
            self.orphans,
            keys=keys,
            install_id=install_id,
            namespaces=namespaces,
            periods=Periods(config.settings.SWEEP_SECONDS, config.settings.LIST_SECONDS),
            fence=lambda: self.election.fence,
        )
        self.contact = Contact(
            self.state,
            self.observer,
            liveness,
            self.election,
            keys=keys,
            install_id=install_id,
            forgot=self.sweeper.ask,
        )
        self.queues = QueueWatch(
            self.state,
            self.actor,
            self.observer.queues,
            self.store,
            keys=keys,
            more=self.orphans.queues,
            leading=self.leading,
            room=self.store.changed.set,
        )
        self.reconciler = Reconciler(
            Parts(
                store=self.store,
                observer=self.observer,
                actor=self.actor,
                writer=self.writer,
                election=self.election,
                contact=self.contact,
                admission=self.admission,
                orphans=self.orphans,
                timers=timers,
            ),
            timing=timing(),
            batch_seconds=config.settings.BATCH_SECONDS,
            sweep=self.sweeper.ask,
        )

    def leading(self) -> bool:
        """Whether this replica works."""
        return self.election.fence is not None

    async def start(self) -> None:
        """Start all tasks."""
        start = self.supervisor.start
        start("loop lag", self.lag.run())
        start("status writer", self.writer.run())
        start("events", self.poster.run())
        start("contact with Redis", self.contact.run())
        start("queues", self.queues.run())
        start("subscription", subscription.listen(self.result_backend, self.store, self.sweeper.ask))
        start("reconciler", self.reconciler.run())
        start("sweeper", self.sweeper.run())
        beats = heartbeats.watch(
            self.store,
            self.observer,
            self.election,
            self.contact,
            period_seconds=min(1.0, config.settings.LOST_AFTER_SECONDS / _HEARTBEAT_LOOKS),
        )
        start("heartbeats", beats)
        start("election", self.election.run())

    async def stop(self) -> None:
        """Write what is decided, release the Lease, and end all tasks: a few seconds at most."""
        await self.supervisor.stop("reconciler", "sweeper")  # nothing new is decided from here on
        leading = self.leading()
        if leading and not self.supervisor.crashed and not await self.writer.flush(_FLUSH_SECONDS):
            _log.warning("Some statuses were not written before the end; the next leader decides them again")
        await self.supervisor.stop()
        if leading:
            await self.election.release()
            await self.poster.flush(_EVENTS_SECONDS)
        self.actor.close()
        await self.state.aclose()
        await self.result_backend.aclose()
        self.supervisor.stopping.set()  # kopf waits for it in a task of its own, and at the end for that task

    def _stored(self, job: Job, status: Status, events: tuple[Event, ...]) -> None:
        self.admission.stored(job.key)
        self.poster.tell(job.key, events)
        measuring.stored(job, status)
        tracing.stored(job, status)


def _watched(record: Record, install_id: str, namespaces: Sequence[str]) -> bool:
    return record.install_id == install_id and (not namespaces or record.namespace in namespaces)
