"""Response cache: bounded, with a TTL; concurrent requests for one key share a call."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

_MAX_ENTRIES: Final = 20_000  # the oldest are dropped
_CONCURRENT: Final = 32  # calls

Key = TypeVar("Key")
Value = TypeVar("Value")


class ResponseCache(Generic[Key, Value]):
    """Values by key. The error of a failed call is not cached."""

    def __init__(
        self, seconds: float, *, max_entries: int = _MAX_ENTRIES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._max_entries = max_entries
        self._monotonic = monotonic
        self._cached: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._running: dict[Key, asyncio.Future[Value]] = {}
        self._slots = asyncio.Semaphore(_CONCURRENT)

    async def get(self, key: Key, call: Callable[[], Awaitable[Value]]) -> Value:
        """Return the cached value, or that of a new call, whose errors are raised."""
        cached = self._cached.get(key)
        if cached is not None and self._monotonic() - cached[0] < self._seconds:
            return cached[1]
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(self._call(key, call))
            # Every waiter raises the error itself: asyncio must not log it as never retrieved.
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(running)  # a request that is cancelled must not cancel the call of the others

    async def _call(self, key: Key, call: Callable[[], Awaitable[Value]]) -> Value:
        try:
            async with self._slots:
                called_at = self._monotonic()
                value = await call()
            self._cached[key] = (called_at, value)
            self._cached.move_to_end(key)
            while len(self._cached) > self._max_entries:
                self._cached.popitem(last=False)
            return value
        finally:
            del self._running[key]
