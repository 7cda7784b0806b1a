"""Rules of the scripts that read."""

from __future__ import annotations

from typing import Any, Final

from tests.support.protocol.contents import Contents
from tests.support.protocol.matchers import Left, Pairs, Unordered
from tests.support.protocol.rules import RECORD, Rules, count_look

RULES: Final = Rules()


@RULES.add
def _observe(state: Contents, keys: list[str], args: list[Any]) -> Any:
    def left(key: str) -> Any:
        if key not in state.values:
            return -2
        ttl_ms = state.ttls[key]
        return -1 if ttl_ms is None else ttl_ms if state.clock is not None else Left(ttl_ms)

    def runs(claim: str, end: str) -> bool:
        return state.token(claim) is not None and not state.fields(end)

    *of_jobs, epoch = keys
    seen: list[Any] = [state.now, [state.epoch(epoch) or "", *count_look(state, epoch)]]
    for first in range(0, len(of_jobs), 8):
        record, claim, alive, end, stop, request, cancel, cleaned = of_jobs[first : first + 8]
        seen.append(
            [
                state.reply(record, *RECORD),
                state.reply(claim, "token", "owner", "at", "epoch", "ended"),
                state.reply(alive, "token") if runs(claim, end) else [None],
                state.ended(end),
                state.reply(stop, "reason"),
                left(request),
                left(cancel),
                state.flag(cleaned),
            ]
        )
    return seen


@RULES.add
def _with_heartbeat(state: Contents, keys: list[str], args: list[Any]) -> Any:
    return [state.flag(key) for key in keys]


@RULES.add
def _list_records(state: Contents, keys: list[str], args: list[Any]) -> Any:
    ids = state.values.get(keys[0])
    found: set[str] = ids if isinstance(ids, set) else set()
    return Unordered(found) if state.clock is None else sorted(found)


@RULES.add
def _list_folders(state: Contents, keys: list[str], args: list[Any]) -> Any:
    found = state.fields(keys[0]) or {}
    return Pairs(found) if state.clock is None else [one for pair in found.items() for one in pair]


@RULES.add
def _live_workers(state: Contents, keys: list[str], args: list[Any]) -> Any:
    worker, draining, _, most_bytes = args
    registered = state.fields(keys[0]) or {}
    found: list[Any] = []
    for node, until in sorted(registered.items(), key=lambda pair: (pair[1], pair[0])):
        text = state.values.get(worker + node)
        readable = isinstance(text, str) and len(text) <= most_bytes
        if until > 1.0 and readable and draining + node not in state.values:
            found += [node, text]
    return found
