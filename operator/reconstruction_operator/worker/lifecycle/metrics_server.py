"""Metrics server: the worker's metrics at `http://WORKER_METRICS_HOST:WORKER_METRICS_PORT/metrics`, its health at
`http://WORKER_METRICS_HOST:WORKER_PROBE_PORT/healthz`.

A thread of the main process serves both, with the limits of `telemetry.serving`; measurements of the pool's processes
reach it through a relay. If a port is in use, the worker runs without it. `/healthz` fails while the main process
hangs, however busy the pool is: its loop then beats no more.
"""

from __future__ import annotations

import logging
import threading
import time
from http import HTTPStatus
from importlib import metadata
from typing import Any

from celery.concurrency import solo
from celery.signals import worker_process_init, worker_shutting_down
from celery.worker import state

from reconstruction_operator import config
from reconstruction_operator.models import registry
from reconstruction_operator.telemetry import relay, worker_metrics
from reconstruction_operator.telemetry.serving import MetricsPage, Page, Server, ServingThread
from reconstruction_operator.worker.lifecycle.bootstep import LifelongStep
from reconstruction_operator.worker.lifecycle.intake import exhausted

logger = logging.getLogger(__name__)


class MetricsServer(LifelongStep):
    """The servers, and the relay that feeds the metrics."""

    hung_seconds = 60.0
    """After the last beat, until the loop counts as hung. Calls of Redis block it for less."""
    _thread: ServingThread | None = None
    _hung_at = 0.0  # monotonic time from which the loop counts as hung; 0: no beats are expected

    def include_if(self, consumer: Any) -> bool:  # noqa: ARG002  # Celery's signature
        """Return whether there is a port: 0 switches it off."""
        return bool(config.settings.WORKER_METRICS_PORT or config.settings.WORKER_PROBE_PORT)

    def create(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Open the relay before the pool forks, so that every process of the pool inherits it."""
        self._relay = relay.Relay()
        relay.install(self._relay)
        worker_process_init.connect(self._close_in_child)
        worker_shutting_down.connect(self._drain)

    def begin(self) -> None:
        """Open the ports. A thread serves them, and another searches for models, which takes seconds."""
        worker_metrics.SLOTS.set(self.concurrency)
        # Counted in the main process, which notices the death of a pool process; that process could not report it.
        worker_metrics.RUNNING.set_function(lambda: len(state.active_requests))
        worker_metrics.BUILD.info({"version": metadata.version("reconstruction-operator")})
        self._relay.start()
        ports = (
            (config.settings.WORKER_METRICS_PORT, "/metrics", MetricsPage(worker_metrics.REGISTRY)),
            (config.settings.WORKER_PROBE_PORT, "/healthz", self._healthz),
        )
        servers: list[Server] = []
        for port, path, page in ports:
            server = Server({path: page})
            if port and _listens(server, port, path):
                servers.append(server)
        self._thread = ServingThread(*servers)
        self._thread.start()
        threading.Thread(target=_find_models, name="models", daemon=True).start()

    def start(self, consumer: Any) -> None:
        """Have the loop beat from each connection on. The tasks of a `solo` pool block it for as long as they run."""
        super().start(consumer)
        if not isinstance(consumer.pool, solo.TaskPool):
            consumer.timer.call_repeatedly(self.hung_seconds / 60, self._beat)  # until Celery loses this connection

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Expect no beats while the worker waits for Redis."""
        self._hung_at = 0.0

    def end(self) -> None:
        """Close the ports, then the relay."""
        relay.install(None)
        if self._thread is not None:
            self._thread.close()
        self._relay.close()

    def _drain(self, **_: Any) -> None:
        """Report the drain. Called in the signal handler of SIGTERM."""
        worker_metrics.DRAINING.set(1)

    def _close_in_child(self, **_: Any) -> None:
        """Close the ports in a new process of the pool, which would otherwise hold them after the worker has ended."""
        if self._thread is not None:
            self._thread.close_in_child()

    def _beat(self) -> None:
        self._hung_at = time.monotonic() + self.hung_seconds

    async def _healthz(self) -> Page:
        if 0 < self._hung_at < time.monotonic() and state.should_stop is None:  # a drain needs no loop
            return Page(b"The main loop hangs.\n", HTTPStatus.SERVICE_UNAVAILABLE)
        if exhausted.is_set():
            return Page(b"Takes no jobs: its limit of processes is reached.\n")  # a restart would lose the running ones
        return Page(b"ok\n")


def _listens(server: Server, port: int, path: str) -> bool:
    host = config.settings.WORKER_METRICS_HOST
    try:
        server.listen(host, port)
    except OSError as error:
        logger.error("no %s at %s:%d: %s", path, host, port, error)  # noqa: TRY400  # the message is enough
        return False
    return True


def _find_models() -> None:
    for name in registry.available():
        worker_metrics.MODEL_AVAILABLE.labels(name).set(1)
