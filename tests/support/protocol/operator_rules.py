"""Rules of the scripts that change something for the operator, all behind its fence."""

from __future__ import annotations

from typing import Any, Final

from tests.support.protocol.contents import Contents
from tests.support.protocol.matchers import NewEpoch
from tests.support.protocol.rules import RECORD, Rules, count_look, put_claim, put_end

RULES: Final = Rules()


@RULES.add_fenced
def _put_record(state: Contents, keys: list[str], args: list[Any]) -> Any:
    _, records, record = keys
    install, job_id, attempt, queue, *place = args
    ids = state.values.get(records)
    state.put(records, {*(ids if isinstance(ids, set) else ()), job_id}, None)
    before = state.fields(record)
    if not before or int(before["attempt"]) <= attempt:
        wanted = dict(zip(RECORD, (str(attempt), queue, install, *place), strict=False))
        if before:
            same = ("sent_at", "orders", "cleaned", "deleted") if int(before["attempt"]) == attempt else ()
            wanted |= {name: before[name] for name in ("begun", *same) if name in before}
        state.put(record, wanted, None)
    return ["ok", state.reply(record, *RECORD)]


@RULES.add_fenced
def _index_records(state: Contents, keys: list[str], args: list[Any]) -> Any:
    _, records, *of_jobs = keys
    install, *job_ids = args
    index = state.values.get(records)
    kept = {*(index if isinstance(index, set) else ())}
    kept |= {one for key, one in zip(of_jobs, job_ids, strict=True) if key in state.values}
    state.put(records, kept, None)
    if not kept:
        state.drop(records)
    for key in of_jobs:
        if state.attempt(key) and state.values[key].get("install_id") != install:
            state.put(key, state.values[key] | {"install_id": install}, None)
    return ["ok"]


@RULES.add_fenced
def _drop_folders(state: Contents, keys: list[str], args: list[Any]) -> Any:
    known = state.fields(keys[1])
    if known:
        left = {job_id: report for job_id, report in known.items() if job_id not in args}
        state.put(keys[1], left, state.ttls[keys[1]])
        if not left:
            state.drop(keys[1])
    return ["ok"]


@RULES.add_fenced
def _mark_sent(state: Contents, keys: list[str], args: list[Any]) -> Any:
    record, (attempt, is_order) = keys[1], args
    recorded = state.attempt(record)
    if recorded == attempt or (is_order and recorded is not None and recorded < attempt):
        marked = {**state.values[record], "sent_at": state.now}
        orders = int(marked.pop("orders", 0)) + 1
        state.put(record, marked | ({"orders": str(orders)} if is_order else {}), None)
    return ["ok"]


@RULES.add_fenced
def _request_cancel(state: Contents, keys: list[str], args: list[Any]) -> Any:
    if keys[2] not in state.values:
        state.put(keys[1], "pending", 1_000 * args[0])
    return ["ok"]


@RULES.add_fenced
def _assert_cancelled(state: Contents, keys: list[str], args: list[Any]) -> Any:
    state.put(keys[2], "1", 1_000 * args[0])
    state.drop(keys[1])
    return ["ok"]


@RULES.add_fenced
def _withdraw_request(state: Contents, keys: list[str], args: list[Any]) -> Any:
    state.drop(keys[1])
    return ["ok"]


@RULES.add_fenced
def _clear_flags(state: Contents, keys: list[str], args: list[Any]) -> Any:
    state.drop(*keys[1:])
    return ["ok"]


@RULES.add_fenced
def _take_claim(state: Contents, keys: list[str], args: list[Any]) -> Any:
    _, claim, end, epoch = keys
    token, owner, retention, outcome, details = args
    ended, held = state.fields(end), state.token(claim)
    if ended:
        return ["ok", int(ended["token"] == token)]
    if held and held != token:
        return ["ok", 0]
    put_claim(state, (claim, epoch), retention, (token, owner), ended=True)
    put_end(state, end, retention, (token, outcome, details))
    return ["ok", 1]


@RULES.add_fenced
def _request_stop(state: Contents, keys: list[str], args: list[Any]) -> Any:
    _, stop, end = keys
    retention, reason, *_ = args  # what it publishes is no state
    if not state.fields(end) and not state.fields(stop):
        state.put(stop, {"reason": reason, "at": state.now}, retention)
    return ["ok"]


@RULES.add_fenced
def _force_end(state: Contents, keys: list[str], args: list[Any]) -> Any:
    _, claim, end, epoch, alive = keys
    token, owner, retention, outcome, details = args
    held = state.token(claim)
    if state.fields(end):
        return ["ok", state.ended(end)]
    if held and state.token(alive) == held:
        return ["ok"]
    put_claim(state, (claim, epoch), retention, (held or token, owner), ended=True)
    return ["ok", put_end(state, end, retention, (token, outcome, details))]


@RULES.add_fenced
def _forget(state: Contents, keys: list[str], args: list[Any]) -> Any:
    job_id, of_job = args
    attempts = keys[2 + of_job :]
    for first in range(0, len(attempts), 4):
        claim, alive, end, _ = attempts[first : first + 4]
        held = state.token(claim)
        if held and state.token(alive) == held and not state.fields(end):
            return ["ok", 0]
    state.drop(*keys[2:])
    if isinstance(state.values.get(keys[1]), set):
        left = state.values[keys[1]] - {job_id}
        state.put(keys[1], left, None)
        if not left:
            state.drop(keys[1])
    return ["ok", 1]


@RULES.add_fenced
def _assert_leader(state: Contents, keys: list[str], args: list[Any]) -> Any:  # as every rule
    return ["ok"]


@RULES.add_fenced
def _open_epoch(state: Contents, keys: list[str], args: list[Any]) -> Any:
    run_id, known = args
    epoch = state.fields(keys[1]) or {}
    looks = int(epoch.get("looks", 0))
    if epoch.get("run_id") != run_id or looks < known:
        looks = max(looks, known)
        begun = {
            "id": NewEpoch(f"{run_id[:8]}-{looks}"),
            "run_id": run_id,
            "started_at": state.now,
            "looks": str(looks),
        }
        state.put(keys[1], begun, None)
    counted = count_look(state, keys[1])
    return ["ok", state.reply(keys[1], "id", "run_id", "started_at"), state.now, *counted]
