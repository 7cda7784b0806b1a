"""Response cache: bounded by weight and time; concurrent requests for one key share a call, and no client has all
calls.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

_MAX_WEIGHT: Final = 20_000  # beyond it the oldest are dropped
_CONCURRENT: Final = 32  # calls
_OF_A_CLIENT: Final = 8  # of them

Key = TypeVar("Key")
Value = TypeVar("Value")


class ResponseCache(Generic[Key, Value]):
    """Values by key. The error of a failed call is not cached."""

    def __init__(
        self,
        seconds: float,
        max_weight: int = _MAX_WEIGHT,
        weigh: Callable[[Key, Value], int] = lambda *_: 1,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._max_weight = max_weight
        self._weigh = weigh
        self._monotonic = monotonic
        self._weight = 0
        self._cached: dict[Key, tuple[float, Value]] = {}  # the oldest call first
        self._running: dict[Key, asyncio.Future[Value]] = {}
        self._slots = asyncio.Semaphore(_CONCURRENT)
        self._slots_of_clients: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def get(self, key: Key, call: Callable[[], Awaitable[Value]], client: str) -> Value:
        """Return the cached value, or that of a new call for `client`, whose errors are raised."""
        cached = self._cached.get(key)
        if cached is not None and self._monotonic() - cached[0] < self._seconds:
            return cached[1]
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(self._call(key, call, client))
            # Every waiter raises the error itself: asyncio must not log it as never retrieved.
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(running)  # a request that is cancelled must not cancel the call of the others

    async def _call(self, key: Key, call: Callable[[], Awaitable[Value]], client: str) -> Value:
        slots = self._slots_of_clients.setdefault(client, asyncio.Semaphore(_OF_A_CLIENT))
        try:
            async with slots, self._slots:
                called_at = self._monotonic()
                value = await call()
            self._drop(key)
            self._cached[key] = (called_at, value)
            self._weight += self._weigh(key, value)
            while self._weight > self._max_weight:
                self._drop(next(iter(self._cached)))
            asyncio.get_running_loop().call_later(self._seconds, self._drop, key)
            return value
        finally:
            del self._running[key]

    def _drop(self, key: Key) -> None:
        if key in self._cached:
            self._weight -= self._weigh(key, self._cached.pop(key)[1])
