"""Rules of the scripts that workers call."""

from __future__ import annotations

from typing import Any, Final

from tests.support.protocol.contents import Contents
from tests.support.protocol.matchers import NOW
from tests.support.protocol.rules import Rules, put_claim, put_end

RULES: Final = Rules()


@RULES.add
def _claim(state: Contents, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, stop, epoch = keys
    token, worker, attempt, claim_ttl, alive_ttl = args
    held, wanted = state.token(claim), state.attempt(record)
    if not attempt and held not in (token, state.token(alive)):
        held = None  # no operator repeats a task without a record
    if state.fields(end) or (held and held != token):
        return ["duplicate"]
    if attempt and wanted and wanted != int(attempt):
        return ["unwanted"]
    if attempt and not wanted and not held:
        return ["no-record"]
    if not held:
        put_claim(state, (claim, epoch), claim_ttl, (token, worker))
        state.note(record, "begun")
    state.put(alive, {"token": token, "worker": worker}, alive_ttl)
    return ["claimed", state.flag(cancel), (state.fields(stop) or {}).get("reason", "")]


@RULES.add
def _beat(state: Contents, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, stop, draining, epoch = keys
    token, worker, life, attempt, claim_ttl, alive_ttl = args
    held, wanted, ended = state.token(claim), state.attempt(record), state.fields(end)
    drain = state.fields(draining)
    rest = [
        state.flag(cancel),
        (state.fields(stop) or {}).get("reason", ""),
        drain["at"] if drain and drain["life"] == life else "",
    ]
    if ended:
        return [int(ended["token"] == token), *rest]
    if (held and held != token) or (attempt and wanted and wanted > int(attempt)):
        if state.token(alive) == token:
            state.drop(alive)
        return [0, *rest]
    known = state.fields(claim) or {}
    if known.get("ended") or (attempt and not wanted and not held):
        return [1, *rest]
    noted = not state.epoch(epoch) or known.get("epoch") == state.epoch(epoch)
    if held and noted:
        state.ttls[claim] = claim_ttl
    else:
        put_claim(state, (claim, epoch), claim_ttl, (token, worker))
        state.note(record, "begun")
    state.put(alive, {"token": token, "worker": worker}, alive_ttl)
    return [1, *rest]


@RULES.add
def _finish(state: Contents, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, request, cleaned, epoch = keys
    token, worker, attempt, retention, outcome, details, has_deleted = args
    held, wanted, ended = state.token(claim), state.attempt(record), state.fields(end)
    if ended:
        return ["already" if ended["token"] == token else "superseded", state.ended(end)]
    superseded = (held and held != token) or (attempt and wanted and wanted > int(attempt))
    if superseded or (attempt and not wanted and not held):
        return ["superseded"]
    if outcome != "Cancelled" and cancel in state.values:
        return ["cancelled"]
    if not attempt and outcome == "Stopped":
        state.drop(claim, alive)
        return ["released"]
    put_claim(state, (claim, epoch), retention, (token, worker), ended=True)
    state.drop(alive, cleaned)
    state.forget_notes(record, "cleaned", "deleted")
    if has_deleted:
        state.note(record, "deleted")
    if outcome == "Succeeded":
        state.drop(cancel, request)
    return ["recorded", put_end(state, end, retention, (token, outcome, details))]


@RULES.add
def _register_worker(state: Contents, keys: list[str], args: list[Any]) -> Any:
    worker, workers, draining, epoch = keys
    node, ttl, registration = args
    known = state.fields(workers) or {}
    state.put(worker, registration, ttl)
    state.put(workers, {**{one: score for one, score in known.items() if score > 1.0}, node: NOW}, None)
    state.drop(draining)
    return state.reply(epoch, "id")[0] or ""


@RULES.add
def _unregister_worker(state: Contents, keys: list[str], args: list[Any]) -> Any:
    worker, workers, draining = keys
    state.drop(worker, draining)
    if state.fields(workers):
        left = {node: score for node, score in state.values[workers].items() if node != args[0]}
        state.put(workers, left, None)
        if not left:
            state.drop(workers)


@RULES.add
def _start_draining(state: Contents, keys: list[str], args: list[Any]) -> Any:
    life, _, ttl_ms = args
    if (state.fields(keys[0]) or {}).get("life") != life:
        state.put(keys[0], {"life": life, "at": NOW}, ttl_ms)


@RULES.add
def _mark_cleaned(state: Contents, keys: list[str], args: list[Any]) -> Any:
    cleaned, record = keys
    if record in state.values:
        state.put(cleaned, state.now, args[0])
        state.note(record, "cleaned")


@RULES.add
def _report_folders(state: Contents, keys: list[str], args: list[Any]) -> Any:
    ttl_ms, *reports = args
    known = state.fields(keys[0]) or {}
    state.put(keys[0], {**known, **dict(zip(reports[::2], reports[1::2], strict=True))}, ttl_ms)
