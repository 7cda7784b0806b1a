"""Metrics server: the worker's metrics at `http://WORKER_METRICS_HOST:WORKER_METRICS_PORT/metrics`, and its health at `/healthz`.

The main process serves them; measurements of the pool's processes reach it through a relay. If the port is in use, the worker
runs without both. `/healthz` fails while the main process hangs, however busy the pool is: its loop then beats no more.
"""

from __future__ import annotations

import logging
import threading
import time
from importlib import metadata
from typing import Any, Final
from wsgiref.simple_server import WSGIServer

from celery.concurrency import solo
from celery.signals import worker_process_init, worker_shutting_down
from celery.worker import state
from prometheus_client import make_wsgi_app, start_http_server

from reconstruction_operator import config
from reconstruction_operator.models import registry
from reconstruction_operator.telemetry import relay, worker_metrics
from reconstruction_operator.worker.lifecycle.bootstep import LifelongStep

logger = logging.getLogger(__name__)
_HUNG_SECONDS: Final = 60.0  # calls of Redis block the loop for less


class MetricsServer(LifelongStep):
    """The server, and the relay that feeds it."""

    _server: WSGIServer | None = None
    _hung_at = 0.0  # monotonic time from which the loop counts as hung; 0: no beats are expected

    def include_if(self, consumer: Any) -> bool:  # noqa: ARG002  # Celery's signature
        """Return whether metrics are on: port 0 switches them off."""
        return bool(config.settings.WORKER_METRICS_PORT)

    def create(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Open the relay before the pool forks, so that every process of the pool inherits it."""
        self._relay = relay.Relay()
        relay.install(self._relay)
        worker_process_init.connect(self._close_in_child)
        worker_shutting_down.connect(self._drain)

    def begin(self) -> None:
        """Serve from threads, so that the worker's start waits neither for the port nor for the search for models."""
        worker_metrics.SLOTS.set(self.concurrency)
        # Counted in the main process, which notices the death of a pool process; that process could not report it.
        worker_metrics.RUNNING.set_function(lambda: len(state.active_requests))
        worker_metrics.BUILD.info({"version": metadata.version("reconstruction-operator")})
        self._relay.start()
        threading.Thread(target=self._serve, name="metrics", daemon=True).start()

    def start(self, consumer: Any) -> None:
        """Have the loop beat from each connection on. The tasks of a `solo` pool block it for as long as they run."""
        super().start(consumer)
        if not isinstance(consumer.pool, solo.TaskPool):
            consumer.timer.call_repeatedly(_HUNG_SECONDS / 60, self._beat)  # until Celery loses this connection

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Expect no beats while the worker waits for Redis."""
        self._hung_at = 0.0

    def end(self) -> None:
        """Close the port, then the relay."""
        relay.install(None)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._relay.close()

    def _drain(self, **_: Any) -> None:
        """Report the drain. Called in the signal handler of SIGTERM."""
        worker_metrics.DRAINING.set(1)

    def _close_in_child(self, **_: Any) -> None:
        """Close the port in a new process of the pool, which would otherwise hold it after the worker has ended."""
        if self._server is not None:
            self._server.socket.close()

    def _beat(self) -> None:
        self._hung_at = time.monotonic() + _HUNG_SECONDS

    def _answer(self, request: Any, begin: Any) -> Any:
        if request["PATH_INFO"] != "/healthz":
            return make_wsgi_app(worker_metrics.REGISTRY)(request, begin)
        is_hung = 0 < self._hung_at < time.monotonic() and state.should_stop is None  # a drain needs no loop
        begin("503 The main loop hangs" if is_hung else "200 OK", [])
        return []

    def _serve(self) -> None:
        host, port = config.settings.WORKER_METRICS_HOST, config.settings.WORKER_METRICS_PORT
        try:
            self._server, _ = start_http_server(port, host, worker_metrics.REGISTRY)
        except OSError as error:
            logger.error("no metrics at %s:%d: %s", host, port, error)  # noqa: TRY400  # the message is enough
            return
        self._server.set_app(self._answer)
        for name in registry.available():
            worker_metrics.MODEL_AVAILABLE.labels(name).set(1)
