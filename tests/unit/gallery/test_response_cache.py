"""Answers that are kept: for their time, asked for once, and never after a failure."""

import asyncio

import pytest
from reconstruction_gallery.response_cache import ResponseCache


async def test_an_answer_is_kept_for_its_time() -> None:
    now, asked = 0.0, 0
    kept: ResponseCache[str, int] = ResponseCache(10, monotonic=lambda: now)

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return asked

    first = await kept.get("a", ask)
    now = 9.9
    second = await kept.get("a", ask)
    now = 10.0
    third = await kept.get("a", ask)

    assert (first, second, third) == (1, 1, 2)


async def test_requests_at_once_ask_one_question_even_if_the_first_leaves() -> None:
    asked, answer = 0, asyncio.Event()
    kept: ResponseCache[str, int] = ResponseCache(10)

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await answer.wait()
        return asked

    waiting = [asyncio.create_task(kept.get("a", ask)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    answer.set()

    assert await asyncio.gather(*waiting[1:]) == [1, 1, 1, 1]


async def test_a_failure_is_asked_again() -> None:
    kept: ResponseCache[str, int] = ResponseCache(10)

    async def fail() -> int:
        raise ValueError("no answer")

    async def ask() -> int:
        return 7

    with pytest.raises(ValueError, match="no answer"):
        await kept.get("a", fail)
    assert await kept.get("a", ask) == 7


async def test_the_oldest_answers_are_dropped() -> None:
    asked = []
    kept: ResponseCache[int, int] = ResponseCache(10, most=2)

    async def get(key: int) -> None:
        async def ask() -> int:
            asked.append(key)
            return key

        await kept.get(key, ask)

    for key in (1, 2, 3, 3, 2, 1):
        await get(key)

    assert asked == [1, 2, 3, 1]
