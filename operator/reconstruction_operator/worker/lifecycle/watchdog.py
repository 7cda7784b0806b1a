"""A worker that is to end and does not is killed: it would take no message any more, and go on to say that it is there.

Celery waits for its pool without an end. A process of the pool that stands still, or a result that nobody reads any more,
keeps it for ever, also where nobody sent a signal: after an error that Celery calls unrecoverable. In a pod the kubelet
would kill it only in the first case.
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
from celery.bootsteps import CLOSE, TERMINATE
from celery.signals import worker_ready, worker_shutdown
from celery.worker import state

from reconstruction_operator import config

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 30.0  # beside the drain, after which all attempts stop; a pod of the chart has 10 s more
_LOOK_SECONDS: Final = 1.0


def kill_all() -> None:
    """This process and all below it, at once. What they had is claimed: the operator calls it lost, and tries again."""
    with contextlib.suppress(psutil.Error):
        for one in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                one.kill()
    os.kill(os.getpid(), signal.SIGKILL)


class LastResort:
    """Watches from a thread of the main process. `stopping` says whether the worker is to end."""

    def __init__(
        self,
        stopping: Callable[[], bool],
        *,
        patience_seconds: float,
        kill: Callable[[], object] = kill_all,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._stopping = stopping
        self._patience_seconds = patience_seconds
        self._kill = kill
        self._look_seconds = look_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="last resort", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def end(self) -> None:
        """All tasks have ended; what is left takes moments."""
        self._ended.set()

    def _run(self) -> None:
        while not self._stopping():
            if self._ended.wait(self._look_seconds):
                return
        begun = time.monotonic()
        if not self._ended.wait(self._patience_seconds):
            logger.critical("this worker was to end %.0f s ago and does not: it is killed", time.monotonic() - begun)
            self._kill()


_current: list[LastResort] = []  # of this process: Celery's signals carry no state


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin_to_watch(sender: Any, **_: Any) -> None:
    """The worker listens to its queues."""
    blueprint = sender.controller.blueprint

    def stopping() -> bool:
        asked = any(one is not None and one is not False for one in (state.should_stop, state.should_terminate))
        return asked or blueprint.state in (CLOSE, TERMINATE)

    _current[:] = [LastResort(stopping, patience_seconds=config.settings.DRAIN_SECONDS + GRACE_SECONDS)]
    _current[0].start()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def end_watch(**_: Any) -> None:
    """All tasks of the worker have ended."""
    for one in _current:
        one.end()
    _current.clear()
