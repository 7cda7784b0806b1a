"""Memory watch: measures the resident memory of a model's processes, and enforces the worker's limit."""

from __future__ import annotations

import contextlib
import time

import psutil

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.units import megabytes

_PERIOD_SECONDS = 0.5


class MemoryWatch:
    """Watches a process and all its descendants, at most twice a second."""

    def __init__(self, pid: int, limit_bytes: int, title: str) -> None:
        self._limit_bytes = limit_bytes
        self._title = title
        self._measured_at = 0.0
        self.newest_bytes = 0
        self.peak_bytes = 0
        self._leader: psutil.Process | None = None
        with contextlib.suppress(psutil.Error):
            self._leader = psutil.Process(pid)

    def check(self) -> None:
        """Measure; raises ModelFailure if the limit is exceeded."""
        now = time.monotonic()
        if self._leader is None or now - self._measured_at < _PERIOD_SECONDS:
            return
        self._measured_at = now
        used = 0
        with contextlib.suppress(psutil.Error):
            for process in (self._leader, *self._leader.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    used += process.memory_info().rss
        self.newest_bytes = used or self.newest_bytes
        self.peak_bytes = max(self.peak_bytes, used)
        if self._limit_bytes and used > self._limit_bytes:
            raise ModelFailure(
                "OUT_OF_MEMORY",
                f"{self._title} used {megabytes(used)} of memory; this worker allows {megabytes(self._limit_bytes)}",
            )
