"""Concurrency: transfers several objects at once in threads, and counts what was transferred."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Final, TypeVar

T = TypeVar("T")

_ABORT_SECONDS: Final = 1.0  # time in which threads may abort their uploads


class StoppedError(Exception):
    """Aborts a transfer that has failed or is no longer wanted."""


class Progress:
    """How many objects and bytes are transferred, of how many.

    The threads of a transfer write it, another thread reads it.

    Once `stopping` is set, each thread ends at its next piece.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.objects = self.of_objects = 0
        self.bytes = self.of_bytes = 0
        self.report: Callable[[], None] = lambda: None  # reports them at once
        self._lock = threading.Lock()

    def moved(self, count: int, *, objects: int = 0) -> None:
        """Count `count` more bytes, and so many complete objects. Raises StoppedError if the transfer must stop."""
        if self.stopping.is_set():
            raise StoppedError
        with self._lock:
            self.bytes += count
            self.objects += objects

    def in_parallel(self, work: Callable[[T], None], items: Collection[T], at_once: int) -> None:
        """Do the work for all items, in threads. Raises the first error; the other threads are stopped then."""
        pool = ThreadPoolExecutor(at_once)
        futures = [pool.submit(work, item) for item in items]
        done, others = wait(futures, return_when=FIRST_EXCEPTION)
        if others:
            self.stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            wait(others, _ABORT_SECONDS)
        for future in done:
            future.result()
        pool.shutdown()
