"""TransferPool: transfers several objects at once in threads.

Each object is retried until it is done, or until all transfers together have stalled.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from reconstruction_operator.transfer.objects import failures

T = TypeVar("T")

_POLL_SECONDS: Final = 0.1
_PAUSE_SECONDS: Final = 0.5  # before the first retry of an object; doubles up to the next value
_LAST_PAUSE_SECONDS: Final = 8.0
_ABORT_SECONDS: Final = 1.0  # time in which threads may abort their transfer


class Clock:
    """Counts what was transferred, and detects a stall: nothing was transferred for `patience_seconds`."""

    def __init__(self, patience_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patience_seconds = patience_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._moved_at = monotonic()
        self._waiting_for_disk = 0  # threads
        self.objects = 0
        self.bytes = 0

    def moved(self, count: int = 0) -> None:
        """Count `count` more bytes as transferred."""
        with self._lock:
            self.bytes += count
            self._moved_at = self._monotonic()

    def done(self) -> None:
        """Count one more object as transferred."""
        with self._lock:
            self.objects += 1
            self._moved_at = self._monotonic()

    @contextlib.contextmanager
    def waiting_for_disk(self) -> Iterator[None]:
        """Suspend the stall detection in a block that waits for the disk: flushing a large file may take minutes."""
        with self._lock:
            self._waiting_for_disk += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting_for_disk -= 1
                self._moved_at = self._monotonic()

    @property
    def has_stalled(self) -> bool:
        """Whether nothing was transferred for `patience_seconds`."""
        with self._lock:
            return not self._waiting_for_disk and self._monotonic() - self._moved_at > self._patience_seconds


def call(function: Callable[[], T], clock: Clock, tick: Callable[[], None]) -> T:
    """Call the client, with the retries of a transfer, and return the result. `tick` is called meanwhile and may raise."""
    results: list[T] = []
    pool: TransferPool[None] = TransferPool(lambda _: results.append(function()), clock, 1, counts=False)
    pool.run([None], tick)
    return results[0]


class StoppedError(Exception):
    """Aborts a transfer that is no longer wanted."""


class TransferPool(Generic[T]):
    """Threads that transfer objects. `stopping` ends them, except in a call of the client: that ends with the process."""

    def __init__(self, work: Callable[[T], None], clock: Clock, size: int, *, counts: bool = True) -> None:
        self.stopping = threading.Event()
        self.clock = clock
        self._work = work
        self._size = size
        self._counts = counts
        self._failure: Exception | None = None
        self._last_error: Exception | None = None

    def run(self, items: Iterable[T], tick: Callable[[], None]) -> None:
        """Transfer all items; `tick` is called often and may raise.

        Raises the first final error. After a stall, raises the last error, or TimeoutError if there was none.
        """
        waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
        count = 0
        for item in items:
            waiting.put(item)
            count += 1
        done = threading.Semaphore(0)
        threads = [
            threading.Thread(target=self._serve, args=(waiting, done), daemon=True)
            for _ in range(min(self._size, count))
        ]
        for thread in threads:
            thread.start()
        try:
            finished = 0
            while finished < count:
                if done.acquire(timeout=_POLL_SECONDS):
                    finished += 1
                if self._failure is not None:
                    raise self._failure
                if self.clock.has_stalled:
                    raise self._last_error or TimeoutError
                tick()
        finally:
            self.stopping.set()
            deadline = time.monotonic() + _ABORT_SECONDS
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def moved(self, count: int) -> None:
        """Count `count` more bytes as transferred. Raises StoppedError if the transfer is no longer wanted."""
        if self.stopping.is_set():
            raise StoppedError
        self.clock.moved(count)

    def _serve(self, waiting: queue.SimpleQueue[T], done: threading.Semaphore) -> None:
        while not self.stopping.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            if self._try(item):
                done.release()

    def _try(self, item: T) -> bool:
        pause = _PAUSE_SECONDS
        while not self.stopping.is_set():
            try:
                self._work(item)
            except StoppedError:
                return False
            except Exception as error:  # noqa: BLE001  # the client raises many kinds of errors; the first final one is reported
                if failures.is_final(error):
                    self._failure = self._failure or error
                    return False
                self._last_error = error
                self.stopping.wait(pause)
                pause = min(2 * pause, _LAST_PAUSE_SECONDS)
            except BaseException as error:  # noqa: BLE001  # a panic of the client is not an Exception
                self._failure = self._failure or RuntimeError(f"{type(error).__name__}: {error}")
                return False
            else:
                if self._counts:
                    self.clock.done()
                return True
        return False
