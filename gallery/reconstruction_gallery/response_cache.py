"""Cache of answers for some seconds: bounded, and each question is asked once, however many requests wait for it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

_MOST: Final = 20_000  # answers; the oldest are dropped
_CONCURRENT: Final = 32  # simultaneous questions to the API server

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class ResponseCache(Generic[Key, Answer]):
    """Answers by key. A question that fails is not kept."""

    def __init__(self, seconds: float, *, most: int = _MOST, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._kept: OrderedDict[Key, tuple[float, Answer]] = OrderedDict()
        self._asked: dict[Key, asyncio.Future[Answer]] = {}
        self._requests = asyncio.Semaphore(_CONCURRENT)

    async def get(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer that is kept, or a new one by `ask`, whose errors are raised."""
        kept = self._kept.get(key)
        if kept is not None and self._monotonic() - kept[0] < self._seconds:
            return kept[1]
        question = self._asked.get(key)
        if question is None:
            question = self._asked[key] = asyncio.ensure_future(self._ask(key, ask))
            question.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # each waiter raises it itself
        return await asyncio.shield(question)  # a client that leaves ends no other client's question

    async def _ask(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            async with self._requests:
                asked_at = self._monotonic()
                answer = await ask()
            self._kept[key] = (asked_at, answer)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return answer
        finally:
            del self._asked[key]
