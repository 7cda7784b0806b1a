"""Calls: a script by its name or its text, and the errors of a batch. On a real Redis: tests/real/state."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import fakeredis
import pytest
import redis
from reconstruction_operator.planning import actions
from reconstruction_operator.state import calls, operator_calls, parts_calls, reads, releases, worker_calls
from reconstruction_operator.state.calls import Call, Script, UnexpectedReplyError

ADD = Script.of("add", "return redis.call('INCRBY', KEYS[1], ARGV[1])")
LUA = Path(calls.__file__).parent / "lua"
SHARED = {calls.PRELUDE, "fence", "each", "read_texts"}
FAIL = Script.of("fail", "return redis.error_reply('ERR refused')")


def add(number: int) -> Call[str]:
    return Call(ADD, ("sum",), (number,), lambda reply: f"now {reply}")


def failing() -> Call[str]:
    return Call(FAIL, (), (), str)


def unreadable(error: Exception) -> Call[str]:
    def read(_reply: Any) -> str:
        raise error

    return Call(ADD, ("sum",), (1,), read)


@pytest.fixture
async def server() -> AsyncIterator[Any]:
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as opened:
        yield opened


def test_a_script_is_known_by_the_digest_of_its_text() -> None:
    assert (
        Script.of("a", "return 1").sha == Script.of("b", "return 1").sha == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    )


async def test_a_batch_returns_in_order_and_an_error_is_the_result_of_its_call(server: Any) -> None:
    odd = UnexpectedReplyError("add", 3)

    first, refused, unread, last = await calls.arun_all(server, [add(1), failing(), unreadable(odd), add(1)])

    assert (first, unread, last) == ("now 1", odd, "now 3")
    assert isinstance(refused, redis.ResponseError)


async def test_a_defect_of_a_reader_is_raised(server: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        await calls.arun_all(server, [unreadable(ZeroDivisionError())])


async def test_an_empty_batch_needs_no_redis() -> None:
    nowhere: Any = fakeredis.FakeAsyncRedis(connected=False)

    assert await calls.arun_all(nowhere, []) == []
    with pytest.raises(redis.ConnectionError):
        await calls.arun_all(nowhere, [add(1)])


def calls_of(module: ModuleType) -> set[str]:
    """Names of the functions of a module that make a call of a script."""
    functions = inspect.getmembers(module, inspect.isfunction)
    return {name for name, function in functions if function.__module__ == module.__name__ and not name.startswith("_")}


def test_each_script_has_the_name_of_its_call() -> None:
    by_read_texts = {"announcements", "with_heartbeat"}
    modules = (operator_calls, worker_calls, parts_calls, reads, releases)
    functions = {name for module in modules for name in calls_of(module)}
    assert {path.stem for path in LUA.glob("*.lua")} == functions - by_read_texts - {"for_action"} | SHARED


def test_each_action_in_redis_has_the_name_of_its_call() -> None:
    elsewhere = {"Dispatch", "DeleteFiles", "TakeBack", "DeleteObject"}
    of_flags = {"RequestCancel", "WithdrawRequest", "AssertCancelled", "ClearFlags"}  # `change_flags`
    names = {action.__name__ for action in actions.Action.__args__} - elsewhere - of_flags
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_") for name in names}
    assert snake <= calls_of(operator_calls)


def test_a_script_begins_with_the_prelude_and_the_operators_with_the_fence_too() -> None:
    plain = calls.script("beat")
    fenced = calls.script("forget", fenced=True)
    assert [calls.part("fence") in script.text for script in (plain, fenced)] == [False, True]
    assert plain.text.startswith(calls.part(calls.PRELUDE))
