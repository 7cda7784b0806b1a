"""Watchdog: kills a worker that hangs during shutdown. Such a worker consumes no messages but still appears registered.

Celery waits for its pool without a time limit. A stuck pool process, or a result that is no longer read, keeps the
worker alive forever. The kubelet kills it only after a SIGTERM of its own, not after an error that Celery calls
unrecoverable.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psutil
from celery import bootsteps
from celery.worker import state

from reconstruction_operator import config

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 30.0  # after the drain, which stops all attempts; the chart's pods have 10 s more
_POLL_SECONDS: Final = 1.0


def kill_all() -> None:
    """Kill all child processes, then this one.

    Their attempts stay claimed, until the operator finds them lost and retries them.
    """
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    os.kill(os.getpid(), signal.SIGKILL)


def watch(
    stopping: Callable[[], bool],
    ended: threading.Event,
    *,
    patience_seconds: float,
    kill: Callable[[], object] = kill_all,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Once `stopping()` is true, call `kill` unless `ended` is set within `patience_seconds`."""
    while not stopping():
        if ended.wait(poll_seconds):
            return
    begun = time.monotonic()
    if not ended.wait(patience_seconds):
        logger.critical("killing this worker: its shutdown has not finished after %.0f s", time.monotonic() - begun)
        kill()


class Watchdog(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """A bootstep of the worker. It is never stopped: the watchdog ends with the worker's blueprint."""

    requires = ("celery.worker.components:Pool",)  # the pool forks before there is another thread

    def start(self, worker: Any) -> None:
        """Start the watchdog in a daemon thread."""
        blueprint = worker.blueprint

        def stopping() -> bool:
            # Celery's flags: None or False until a signal arrives, then an exit status, which may be 0.
            asked = any(flag is not None and flag is not False for flag in (state.should_stop, state.should_terminate))
            return asked or blueprint.state in (bootsteps.CLOSE, bootsteps.TERMINATE)

        threading.Thread(
            target=watch,
            args=(stopping, blueprint.shutdown_complete),
            kwargs={"patience_seconds": config.settings.DRAIN_SECONDS + GRACE_SECONDS},
            name="watchdog",
            daemon=True,
        ).start()
