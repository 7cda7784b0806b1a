"""Clock of a transfer: how much is done, and whether it has stalled. Several threads count, one asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Clock:
    """Counts what is done. A transfer has stalled once nothing was done for `patience_seconds`."""

    def __init__(self, patience_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patience_seconds = patience_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._moved_at = monotonic()
        self.objects = 0
        self.bytes = 0

    def moved(self, count: int = 0) -> None:
        """So many more bytes are done."""
        with self._lock:
            self.bytes += count
            self._moved_at = self._monotonic()

    def done(self) -> None:
        """One more object is done."""
        with self._lock:
            self.objects += 1
            self._moved_at = self._monotonic()

    @property
    def has_stalled(self) -> bool:
        """Whether nothing was done for too long."""
        with self._lock:
            return self._monotonic() - self._moved_at > self._patience_seconds
