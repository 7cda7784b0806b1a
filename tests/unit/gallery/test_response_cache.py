"""Response cache: values expire, concurrent requests share a call, and errors are not cached."""

import asyncio
from itertools import count

import pytest
from reconstruction_gallery.response_cache import ResponseCache

from tests.support.controller.clock import Clock


async def test_a_value_expires_after_its_time_to_live() -> None:
    clock, calls = Clock(0.0), count(1)
    cache: ResponseCache[str, int] = ResponseCache(10, monotonic=clock)

    async def call() -> int:
        return next(calls)

    first = await cache.get("a", call)
    clock.now = 9.9
    second = await cache.get("a", call)
    clock.now = 10.0
    third = await cache.get("a", call)

    assert (first, second, third) == (1, 1, 2)


async def test_concurrent_requests_share_a_call_even_if_the_first_is_cancelled() -> None:
    calls, response = count(1), asyncio.Event()
    cache: ResponseCache[str, int] = ResponseCache(10)

    async def call() -> int:
        await response.wait()
        return next(calls)

    waiting = [asyncio.create_task(cache.get("a", call)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    response.set()

    assert await asyncio.gather(*waiting[1:]) == [1, 1, 1, 1]


async def test_a_failed_call_is_repeated() -> None:
    cache: ResponseCache[str, int] = ResponseCache(10)

    async def fail() -> int:
        raise ValueError("no response")

    async def succeed() -> int:
        return 7

    with pytest.raises(ValueError, match="no response"):
        await cache.get("a", fail)
    assert await cache.get("a", succeed) == 7


async def test_the_oldest_entries_are_dropped() -> None:
    called = []
    cache: ResponseCache[int, int] = ResponseCache(10, max_entries=2)

    async def get(key: int) -> None:
        async def call() -> int:
            called.append(key)
            return key

        await cache.get(key, call)

    for key in (1, 2, 3, 3, 2, 1):
        await get(key)

    assert called == [1, 2, 3, 1]
