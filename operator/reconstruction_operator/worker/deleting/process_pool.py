"""Spares: deletion processes that the runs of this process use in turn. Starting one takes far longer than most deletions, so one is
started as soon as a cancel is requested.

Many jobs may be cancelled at once. A deletion waits for another one's process as long as deletions end or a process starts. After a
moment without either it starts its own, so a hanging deletion delays no other. Slow deletions get a few processes.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.request import DeletionRequest

_SHARE_SECONDS = 0.5  # wait for another deletion's process, since one last ended or started
_SLOW_SECONDS = 2.0  # the same wait in all, while there are few processes
_FEW = 8
_SPARE_SECONDS = 10.0  # how long an idle process is kept


class Spares:
    """The deletion processes of one process, each with one deletion at a time."""

    def __init__(self) -> None:
        self._idle: list[DeletionProcess] = []
        self._busy = 0
        self._used_at = 0.0
        self._moved_at = 0.0  # when a deletion last ended or a process was made
        self._changed = threading.Condition()
        self._keeps = False  # a timer ends idle processes

    def perform(self, request: DeletionRequest, seconds: float) -> bool:
        """Carry out one request, as `DeletionProcess.perform`."""
        process = self._take()
        try:
            return process.perform(request, seconds)
        finally:
            self._put_back(process)

    def prepare(self) -> None:
        """Have a process ready, for as long as this is repeated and `_SPARE_SECONDS`. Raises OSError if none can be started."""
        with self._changed:
            if not self._busy and not self._idle and _SPARE_SECONDS > 0.0:
                process = DeletionProcess()
                process.start()
                self._idle.append(process)
                self._keep()
            self._used_at = time.monotonic()

    def _take(self) -> DeletionProcess:
        with self._changed:
            since = time.monotonic()
            while self._busy and not self._idle:
                until = max(since, self._moved_at) + _SHARE_SECONDS
                if self._busy < _FEW:
                    until = min(until, since + _SLOW_SECONDS)
                if until <= (now := time.monotonic()):
                    break
                self._changed.wait(until - now)
            self._busy += 1
            if self._idle:
                return self._idle.pop()
            self._moved_at = time.monotonic()
            return DeletionProcess()

    def _put_back(self, process: DeletionProcess) -> None:
        with self._changed:
            self._busy -= 1
            self._used_at = self._moved_at = time.monotonic()
            if self._idle or _SPARE_SECONDS <= 0.0:
                process.close()
                return
            self._idle.append(process)
            self._changed.notify()
            self._keep()

    def _keep(self) -> None:
        if not self._keeps:
            self._keeps = True
            timer = threading.Timer(_SPARE_SECONDS, self._end_idle)
            timer.daemon = True
            timer.start()

    def _end_idle(self) -> None:
        with self._changed:
            self._keeps = False
            if time.monotonic() - self._used_at < _SPARE_SECONDS:
                self._keep()
                return
            while self._idle:
                self._idle.pop().close()


_spares: Final[list[Spares]] = [Spares()]


def perform(request: DeletionRequest, seconds: float) -> bool:
    """Carry out one request in a deletion process of this process, as `DeletionProcess.perform`."""
    return _spares[0].perform(request, seconds)


def prepare() -> None:
    """Have a deletion process of this process ready."""
    _spares[0].prepare()


def _begin_anew() -> None:
    _spares[0] = Spares()


os.register_at_fork(after_in_child=_begin_anew)  # the processes are the parent's
