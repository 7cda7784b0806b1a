"""The operator as one process: its parts put together, started, watched over, and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Sequence
from importlib import metadata
from typing import Final

import redis.asyncio

from reconstruction_operator import config
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller import health, installation, kubernetes_client, measuring, subscribing, watching
from reconstruction_operator.controller.acting import Actor
from reconstruction_operator.controller.admitting import Admission
from reconstruction_operator.controller.contact import Contact
from reconstruction_operator.controller.election import Election
from reconstruction_operator.controller.events import EventPoster
from reconstruction_operator.controller.kubernetes_client import Api
from reconstruction_operator.controller.liveness import LivenessTracker
from reconstruction_operator.controller.observing import Observer
from reconstruction_operator.controller.orphans import Orphans
from reconstruction_operator.controller.probes import ProbeServer, application
from reconstruction_operator.controller.queues import QueueWatch
from reconstruction_operator.controller.reconciling import Parts, Reconciler, watch_heartbeats
from reconstruction_operator.controller.store import Store
from reconstruction_operator.controller.supervising import LoopLag, Supervisor
from reconstruction_operator.controller.sweeping import Periods, Sweeper
from reconstruction_operator.controller.timers import Timers
from reconstruction_operator.controller.watching import WatchAge
from reconstruction_operator.controller.writing import StatusWriter
from reconstruction_operator.planning.types import Event, Job, Limits, Record
from reconstruction_operator.services import clients, dispatch
from reconstruction_operator.services.keys import Keys
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_FLUSH_SECONDS: Final = 3.0  # for what is decided and not yet written, at a clean stop
_EVENTS_SECONDS: Final = 1.0
_HEARTBEAT_LOOKS: Final = 4.0  # in the time after which a silent worker is lost
_GAP_SECONDS: Final = 5.0  # between two looks at a silent worker: more, and its silence is counted anew


def limits() -> Limits:
    """The settings that plans depend on."""
    return Limits(
        lost_after_seconds=config.LOST_AFTER_SECONDS,
        epoch_grace_seconds=config.EPOCH_GRACE_SECONDS,
        resend_seconds=config.RESEND_SECONDS,
        backoff_seconds=config.BACKOFF_SECONDS,
        backoff_max_seconds=config.BACKOFF_MAX_SECONDS,
        cancel_ttl_seconds=config.CANCEL_TTL_SECONDS,
        progress_seconds=config.PROGRESS_SECONDS,
    )


def identity() -> str:
    """Who we are in the Lease: the pod's name, and what no restarted process shares with its predecessor."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Operator:
    """All parts of one process, made from the settings."""

    def __init__(self, api: Api, *, install_id: str, namespaces: Sequence[str]) -> None:
        self.api = api
        self.state: redis.asyncio.Redis = clients.async_state_client()
        self.result_backend: redis.asyncio.Redis = clients.async_results_client()
        keys = Keys()
        me = identity()
        self.supervisor = Supervisor()
        self.lag = LoopLag()
        self.watch_age = WatchAge()
        self.store = Store()
        self.election = Election(
            api,
            namespace=config.OPERATOR_NAMESPACE,
            name=config.LEASE_NAME,
            identity=me,
            duration_seconds=config.LEASE_SECONDS,
        )
        timers = Timers()
        liveness = LivenessTracker(_GAP_SECONDS)
        self.observer = Observer(self.state, self.result_backend, keys=keys, liveness=liveness)
        self.actor = Actor(self.state, api, dispatch.Dispatcher(), keys=keys, install_id=install_id)
        self.writer = StatusWriter(
            api,
            self.store,
            writes_per_second=config.WRITES_PER_SECOND,
            allowed=self.leading,
            stored=self._stored,
            again=lambda key, seconds: timers.wake(key, time.monotonic() + seconds),
        )
        self.poster = EventPoster(api, self.writer, instance=me)
        self.admission = Admission(self.store, window=config.DISPATCH_WINDOW)
        self.orphans = Orphans(
            self.observer, self.actor, limits=limits(), ours=lambda record: _watched(record, install_id, namespaces)
        )
        self.sweeper = Sweeper(
            api,
            self.state,
            self.store,
            self.orphans,
            keys=keys,
            install_id=install_id,
            namespaces=namespaces,
            periods=Periods(config.SWEEP_SECONDS, config.LIST_SECONDS),
            leading=self.leading,
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
            limits=limits(),
            batch_seconds=config.BATCH_SECONDS,
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
        start("subscription", subscribing.listen(self.result_backend, self.store, self.sweeper.ask))
        start("reconciler", self.reconciler.run())
        start("sweeper", self.sweeper.run())
        heartbeats = watch_heartbeats(
            self.store,
            self.observer,
            self.election,
            self.contact,
            period_seconds=min(1.0, config.LOST_AFTER_SECONDS / _HEARTBEAT_LOOKS),
        )
        start("heartbeats", heartbeats)
        start("election", self.election.run())

    async def stop(self) -> None:
        """Write what is decided, release the Lease, and end all tasks: a few seconds at most."""
        if self.leading() and not self.supervisor.crashed:
            if not await self.writer.flush(_FLUSH_SECONDS):
                _log.warning("Some statuses were not written before the end; the next leader decides them again")
            leader = True
        else:
            leader = False
        await self.supervisor.stop()
        if leader:
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


def _watched(record: Record, install_id: str, namespaces: Sequence[str]) -> bool:
    return record.install_id == install_id and (not namespaces or record.namespace in namespaces)


async def run() -> int:
    """Run until SIGTERM or SIGINT (0), or until a part of us cannot go on (1: restart us)."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # until kopf brings its own: process 1 has no default for them
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    version = metadata.version("reconstruction-operator")
    metrics.BUILD.info({"version": version})
    where = await kubernetes_client.connection()
    api = Api(where)
    _log.info("Starting version %s, process %d, API server %s", version, os.getpid(), where.server)
    try:
        view = health.View()
        probes = ProbeServer(
            application(health=view.health, readiness=view.readiness, measure=view.measure),
            host=config.PROBE_HOST,
            port=config.PROBE_PORT,
        )
        _log.info("Probes and metrics on port %d", await probes.start())
        try:
            return await _prepared(api, view, probes, stopping)
        finally:
            await probes.close()
    finally:
        await api.close()


async def _prepared(api: Api, view: health.View, probes: ProbeServer, stopping: asyncio.Event) -> int:
    preparing = asyncio.create_task(_prepare(api), name="preparing")
    waiting = asyncio.create_task(stopping.wait(), name="signal")
    await asyncio.wait({preparing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not preparing.done():
        preparing.cancel()
        return 0
    operator = preparing.result()
    view.operator = operator

    async def stop() -> None:
        await operator.stop()
        await probes.close()  # before kopf looks for tasks that are left: an open connection is one

    try:
        await watching.watch(
            operator.store,
            operator.watch_age,
            kubernetes_client.connection,
            namespaces=config.WATCH_NAMESPACES,
            startup=operator.start,
            cleanup=stop,
            stopping=operator.supervisor.stopping,
        )
    except Exception as error:  # noqa: BLE001  # kopf's: the resource is gone, its version changed, or a defect
        _log.critical("The watch cannot go on; the operator stops, to be restarted: %s", error, exc_info=error)
        return 1
    if operator.supervisor.crashed:
        return 1
    _log.info("Stopped")
    return 0


async def _prepare(api: Api) -> Operator:
    await installation.wait_for_resource(api)
    install_id = await installation.install_id(api, config.INSTALL_ID)
    _log.info("Install id %s", install_id)
    return Operator(api, install_id=install_id, namespaces=config.WATCH_NAMESPACES)
