"""A worker's metrics at `http://WORKER_METRICS_HOST:WORKER_METRICS_PORT/metrics`, in its main process, whatever the pool.

Celery's signals open and close it. A port that is taken costs the metrics, never the worker.
"""

from __future__ import annotations

import logging
import threading
from importlib import metadata
from typing import Any
from wsgiref.simple_server import WSGIServer

from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown, worker_shutting_down
from celery.worker import state
from prometheus_client import start_http_server

from reconstruction_operator import config
from reconstruction_operator.models import registry
from reconstruction_operator.telemetry import relay, worker_metrics

logger = logging.getLogger(__name__)


class Exposition:
    """The relay from the pool's processes, and the server that tells what came."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._relay = relay.Relay()
        self._server: WSGIServer | None = None
        relay.install(self._relay)

    def start(self, slots: int) -> None:
        """Begin to serve, in threads: neither binding nor looking for models holds up the worker."""
        worker_metrics.SLOTS.set(slots)
        # The main process knows what its pool does: no process of the pool can die without being taken off this list.
        worker_metrics.RUNNING.set_function(lambda: len(state.active_requests))
        worker_metrics.BUILD.info({"version": metadata.version("reconstruction-operator")})
        self._relay.start()
        threading.Thread(target=self._serve, name="metrics", daemon=True).start()

    def close_in_child(self) -> None:
        """A process of the pool must not hold the port when the worker is gone."""
        if self._server is not None:
            self._server.socket.close()

    def close(self) -> None:
        """Stop."""
        relay.install(None)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._relay.close()

    def _serve(self) -> None:
        try:
            self._server, _ = start_http_server(self._port, self._host, worker_metrics.REGISTRY)
        except OSError as error:
            logger.error("no metrics at %s:%d: %s", self._host, self._port, error)  # noqa: TRY400  # the text says it all
            return
        for name in registry.available():
            worker_metrics.MODEL_AVAILABLE.labels(name).set(1)


_current: list[Exposition] = []  # of this process: Celery's signals carry no state


@worker_init.connect  # type: ignore[untyped-decorator]
def open_relay(**_: Any) -> None:
    """Before the pool forks."""
    if config.settings.WORKER_METRICS_PORT:
        _current[:] = [Exposition(config.settings.WORKER_METRICS_HOST, config.settings.WORKER_METRICS_PORT)]


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin(sender: Any, **_: Any) -> None:
    """The worker listens to its queues."""
    pool = getattr(sender, "pool", None)
    for exposition in _current:
        exposition.start(int(getattr(pool, "num_processes", None) or getattr(pool, "limit", None) or 1))


@worker_process_init.connect  # type: ignore[untyped-decorator]
def leave_the_port(**_: Any) -> None:
    """A process of the pool begins."""
    for exposition in _current:
        exposition.close_in_child()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def say_draining(**_: Any) -> None:
    """The worker got SIGTERM; runs in its signal handler."""
    worker_metrics.DRAINING.set(1)


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    """All tasks of the worker have ended."""
    for exposition in _current:
        exposition.close()
    _current.clear()
