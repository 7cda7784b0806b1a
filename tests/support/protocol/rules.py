"""Rules: what a script returns and changes, as a function over the contents of Redis; and their common parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.support.protocol.contents import Contents

Rule = Callable[[Contents, list[str], list[Any]], Any]

RECORD: Final = ("attempt", "queue", "install_id", "namespace", "name", "sent_at", "orders", "begun", "cleaned", "deleted")  # fmt: skip


class Rules(dict[str, Rule]):
    """Rules by the name of their script, which is the function's."""

    def add(self, rule: Rule) -> Rule:
        """Add the rule of a script without a fence."""
        self[rule.__name__.removeprefix("_")] = rule
        return rule

    def add_fenced(self, rule: Rule) -> Rule:
        """Add the rule of an operator's script: a deposed operator changes nothing."""

        def fenced(state: Contents, keys: list[str], args: list[Any]) -> Any:
            text = state.values.get(keys[0])
            seen = int(text) if isinstance(text, str) and text.isdigit() else -1
            if int(args[0]) < seen:
                return ["deposed", str(seen)]
            if int(args[0]) > seen:
                state.put(keys[0], str(args[0]), None)
            return rule(state, keys, args[1:])

        self[rule.__name__.removeprefix("_")] = fenced
        return rule


def put_claim(
    state: Contents, keys: tuple[str, str], ttl_ms: int, holder: tuple[str, str], *, ended: bool = False
) -> None:
    """`keys`: of the claim and of the epoch."""
    (key, epoch), (token, owner) = keys, holder
    claim = {"token": token, "owner": owner, "at": state.now}
    before = state.fields(key)
    if before and before["token"] == token:
        claim |= {"owner": before["owner"], "at": before["at"]}
    current = state.epoch(epoch)
    if current:
        claim["epoch"] = current
    if ended:
        claim["ended"] = "1"
    state.put(key, claim, ttl_ms)


def count_look(state: Contents, epoch: str) -> tuple[str, str]:
    """Count a look; return the number of looks before and after it."""
    found = state.fields(epoch)
    if not found or "id" not in found:
        return "0", "0"
    before = int(found.get("looks", 0))
    state.put(epoch, {**found, "looks": str(before + 1)}, None)
    return str(before), str(before + 1)


def put_end(state: Contents, key: str, ttl_ms: int, end: tuple[str, str, str]) -> list[Any]:
    token, outcome, details = end
    state.put(key, {"token": token, "outcome": outcome, "at": state.now, "details": details}, ttl_ms)
    return [outcome, state.now, details]
