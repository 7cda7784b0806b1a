"""Deletion process pool: shares warm deletion processes between runs, because starting one is slow.

A process is started as soon as a cancel is requested. Many jobs may be cancelled at once, so a deletion waits for a process that another
deletion uses, as long as deletions finish or processes start. After a moment without either, it starts a process of its own: a hung
deletion delays no other one. Slow deletions get a few processes.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.request import DeletionRequest

_SHARE_SECONDS = 0.5  # maximum wait for a process since a deletion last finished or a process last started
_SLOW_SECONDS = 2.0  # maximum wait in total, while there are few processes
_FEW = 8
_IDLE_SECONDS = 10.0  # how long an idle process is kept


class ProcessPool:
    """The deletion processes of one process of the worker. Each carries out one deletion at a time."""

    def __init__(self) -> None:
        self._idle: list[DeletionProcess] = []
        self._busy = 0
        self._used_at = 0.0
        self._moved_at = 0.0  # when a deletion last finished or a process was created
        self._changed = threading.Condition()
        self._keeps = False  # whether a timer runs that ends idle processes

    def perform(self, request: DeletionRequest, seconds: float) -> bool:
        """Carry out one request, as `DeletionProcess.perform`."""
        process = self._take()
        try:
            return process.perform(request, seconds)
        finally:
            self._put_back(process)

    def prepare(self) -> None:
        """Start a process unless there is one. It is kept for `_IDLE_SECONDS` after the last call. Raises OSError if it cannot be started."""
        with self._changed:
            if not self._busy and not self._idle and _IDLE_SECONDS > 0.0:
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
            if self._idle or _IDLE_SECONDS <= 0.0:
                process.close()
                return
            self._idle.append(process)
            self._changed.notify()
            self._keep()

    def _keep(self) -> None:
        if not self._keeps:
            self._keeps = True
            timer = threading.Timer(_IDLE_SECONDS, self._end_idle)
            timer.daemon = True
            timer.start()

    def _end_idle(self) -> None:
        with self._changed:
            self._keeps = False
            if time.monotonic() - self._used_at < _IDLE_SECONDS:
                self._keep()
                return
            while self._idle:
                self._idle.pop().close()


_pools: Final[list[ProcessPool]] = [ProcessPool()]


def perform(request: DeletionRequest, seconds: float) -> bool:
    """Carry out one request in a deletion process of this process, as `DeletionProcess.perform`."""
    return _pools[0].perform(request, seconds)


def prepare() -> None:
    """Start a deletion process of this process in advance."""
    _pools[0].prepare()


def _begin_anew() -> None:
    _pools[0] = ProcessPool()


os.register_at_fork(after_in_child=_begin_anew)  # the processes belong to the parent
