"""Response cache: values expire, concurrent requests share a call, errors are not cached, and no
client has all calls.
"""

import asyncio
import weakref
from itertools import count

import pytest
from reconstruction_gallery.response_cache import ResponseCache

from tests.support.controller.clock import Clock


class Value:
    """A value that can be observed."""


async def test_a_value_expires_after_its_time_to_live() -> None:
    clock = Clock(0.0)
    calls = count(1)
    cache: ResponseCache[str, int] = ResponseCache(10, monotonic=clock)

    async def call() -> int:
        return next(calls)

    first = await cache.get("a", call, "anna")
    clock.now = 9.9
    second = await cache.get("a", call, "anna")
    clock.now = 10.0
    third = await cache.get("a", call, "anna")

    assert (first, second, third) == (1, 1, 2)


async def test_concurrent_requests_share_a_call_even_if_the_first_is_cancelled() -> None:
    calls = count(1)
    response = asyncio.Event()
    cache: ResponseCache[str, int] = ResponseCache(10)

    async def call() -> int:
        await response.wait()
        return next(calls)

    waiting = [asyncio.create_task(cache.get("a", call, "anna")) for _ in range(5)]
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
        await cache.get("a", fail, "anna")
    assert await cache.get("a", succeed, "anna") == 7


async def test_the_oldest_entries_are_dropped_beyond_the_weight() -> None:
    called = []
    cache: ResponseCache[int, int] = ResponseCache(10, 20, lambda *_: 10)

    async def get(key: int) -> None:
        async def call() -> int:
            called.append(key)
            return key

        await cache.get(key, call, "anna")

    for key in (1, 2, 3, 3, 2, 1):
        await get(key)

    assert called == [1, 2, 3, 1]


async def test_a_value_is_dropped_at_its_expiry_without_a_further_request() -> None:
    cache: ResponseCache[str, Value] = ResponseCache(0.01)

    async def call() -> Value:
        return Value()

    dropped = asyncio.Event()
    weakref.finalize(await cache.get("a", call, "anna"), dropped.set)

    async with asyncio.timeout(10):
        await dropped.wait()


async def test_a_client_with_many_requests_does_not_delay_another() -> None:
    cache: ResponseCache[int, int] = ResponseCache(10)
    response = asyncio.Event()

    async def wait() -> int:
        await response.wait()
        return 1

    async def answer() -> int:
        return 2

    flood = [asyncio.create_task(cache.get(number, wait, "mallory")) for number in range(200)]
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        assert await cache.get(-1, answer, "anna") == 2
    response.set()
    assert set(await asyncio.gather(*flood)) == {1}
