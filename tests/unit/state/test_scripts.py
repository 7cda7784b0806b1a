"""Scripts by name: one file for each call, and one spelling on each side."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

from reconstruction_operator.planning import actions
from reconstruction_operator.state import operator_calls, reads, scripts, worker_calls

LUA = Path(scripts.__file__).parent / "lua"
SHARED = {scripts.PRELUDE, "fence", "each", "read_texts"}


def calls_of(module: ModuleType) -> set[str]:
    """Names of the functions of a module that make a call of a script."""
    functions = inspect.getmembers(module, inspect.isfunction)
    return {name for name, one in functions if one.__module__ == module.__name__ and not name.startswith("_")}


def test_each_script_has_the_name_of_its_call() -> None:
    made = calls_of(operator_calls) - {"for_action"} | calls_of(worker_calls) | calls_of(reads) - {"announcements"}
    assert {path.stem for path in LUA.glob("*.lua")} == made | SHARED


def test_each_action_in_redis_has_the_name_of_its_call() -> None:
    elsewhere = {"Dispatch", "DeleteFiles", "TakeBack", "DeleteObject"}
    names = {one.__name__ for one in actions.Action.__args__} - elsewhere
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_") for name in names}
    assert snake <= calls_of(operator_calls)


def test_a_script_begins_with_the_prelude_and_the_operators_with_the_fence_too() -> None:
    plain, fenced = scripts.script("beat"), scripts.script("forget", fenced=True)
    assert [scripts.part("fence") in one.text for one in (plain, fenced)] == [False, True]
    assert plain.text.startswith(scripts.part(scripts.PRELUDE))
