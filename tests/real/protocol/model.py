"""What each script of the protocol answers and changes, said a second time: what is under test is compared with it.

It knows keys, values and times to live; it is told what was there before a call, and says what must be there after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import redis
from reconstruction_operator.state.calls import Call

_TOLERANCE_MS: Final = 120_000  # how much of a time to live may pass between a call and the look at it
_DUMP: Final = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind, value = redis.call('TYPE', key).ok, ''
  if kind == 'string' then value = redis.call('GET', key) end
  if kind == 'set' then value = redis.call('SMEMBERS', key) end
  if kind == 'hash' then value = redis.call('HGETALL', key) end
  if kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
  found[#found + 1] = {key, kind, value, redis.call('PTTL', key)}
end
return found
"""


class _Now:
    """A time that Redis's clock gave just now."""

    def __eq__(self, other: object) -> bool:
        return not isinstance(other, bool) and isinstance(other, int | float) and other > 1.7e12

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "now"


NOW: Final = _Now()


def decoded(text: Any) -> Any:
    """A JSON object, or the text itself."""
    if isinstance(text, str) and text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


@dataclass
class State:
    """All that a Redis holds. A time to live of None means for ever."""

    values: dict[str, Any] = field(default_factory=dict)
    ttls: dict[str, int | None] = field(default_factory=dict)

    @classmethod
    def of(cls, client: redis.Redis) -> State:
        state = cls()
        for key, kind, value, ttl_ms in client.eval(_DUMP, 0):  # type: ignore[no-untyped-call,union-attr]
            match kind:
                case "set":
                    state.values[key] = set(value)
                case "hash":
                    state.values[key] = {
                        name: decoded(text) for name, text in zip(value[::2], value[1::2], strict=True)
                    }
                case "zset":
                    state.values[key] = {
                        node: float(score) for node, score in zip(value[::2], value[1::2], strict=True)
                    }
                case _:
                    state.values[key] = decoded(value)
            state.ttls[key] = None if ttl_ms < 0 else ttl_ms
        return state

    def copy(self) -> State:
        return State(dict(self.values), dict(self.ttls))

    def object(self, key: str) -> dict[str, Any] | None:
        value = self.values.get(key)
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: Any, ttl_ms: int | None) -> None:
        self.values[key] = value
        self.ttls[key] = ttl_ms

    def drop(self, *keys: str) -> None:
        for key in keys:
            self.values.pop(key, None)
            self.ttls.pop(key, None)

    def differences(self, expected: State) -> Iterator[str]:
        """Where this differs from what was expected, in words."""
        for key in sorted(self.values.keys() | expected.values.keys()):
            seen, wanted = self.values.get(key, "absent"), expected.values.get(key, "absent")
            if not wanted == seen:  # noqa: SIM201  # NOW decides what it equals
                yield f"{key} is {seen}, not {wanted}"
                continue
            ttl, wanted_ttl = self.ttls.get(key), expected.ttls.get(key)
            near = wanted_ttl is None or (ttl is not None and wanted_ttl - _TOLERANCE_MS < ttl <= wanted_ttl)
            if not near or (ttl is None) != (wanted_ttl is None):
                yield f"{key} lives for {ttl} ms, not {wanted_ttl}"


Rule = Callable[[State, list[str], list[Any]], Any]
RULES: dict[str, Rule] = {}


def _rule(name: str) -> Callable[[Rule], Rule]:
    def keep(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return keep


def _fenced(name: str) -> Callable[[Rule], Rule]:
    """A rule of the operator's: one that was deposed changes nothing."""

    def keep(rule: Rule) -> Rule:
        def fenced(state: State, keys: list[str], args: list[Any]) -> Any:
            text = state.values.get(keys[0])
            seen = int(text) if isinstance(text, str) and text.isdigit() else -1
            if int(args[0]) < seen:
                return ["deposed", str(seen)]
            if int(args[0]) > seen:
                state.put(keys[0], str(args[0]), None)
            return rule(state, keys, args[1:])

        RULES[name] = fenced
        return rule

    return keep


def expected(before: State, call: Call[Any]) -> tuple[Any, State]:
    """The answer to a call, and what is there afterwards."""
    after = before.copy()
    reply = RULES[call.script.name](after, list(call.keys), list(call.args))
    return reply, after


def _claimed(token: str, owner: str, *, by_operator: bool) -> dict[str, Any]:
    return {"token": token, "owner": owner, "by_operator": by_operator, "at": NOW}


def _flag(state: State, key: str) -> int:
    return int(key in state.values)


def _text(state: State, key: str) -> Any:
    value = state.values.get(key, "")
    return value if isinstance(value, str | dict) else ""


# --- The worker's ------------------------------------------------------------------------------------------------------


@_rule("claim")
def _claim(state: State, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, stop = keys
    token, worker, attempt, claim_ttl, alive_ttl = args
    held, wanted = state.object(claim), state.object(record)
    if state.object(end) or (held and held["token"] != token):
        return ["duplicate"]
    if attempt and wanted and wanted["attempt"] != int(attempt):
        return ["unwanted"]
    if attempt and not wanted and not held:
        return ["no-record"]
    if not held:
        state.put(claim, _claimed(token, worker, by_operator=False), claim_ttl)
    state.put(alive, {"token": token, "worker": worker}, alive_ttl)
    return ["claimed", _flag(state, cancel), _text(state, stop)]


@_rule("beat")
def _beat(state: State, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, stop, draining = keys
    token, worker, life, attempt, claim_ttl, alive_ttl = args
    held, wanted, ended = state.object(claim), state.object(record), state.object(end)
    drain = state.object(draining)
    rest = [
        _flag(state, cancel),
        _text(state, stop),
        str(drain["at"]) if drain and drain["life"] == life else "",
    ]
    if ended:
        return [int(ended["token"] == token), *rest]
    if (held and held["token"] != token) or (attempt and wanted and wanted["attempt"] > int(attempt)):
        if (state.object(alive) or {}).get("token") == token:
            state.drop(alive)
        return [0, *rest]
    if attempt and not wanted and not held:
        return [1, *rest]
    state.put(claim, held or _claimed(token, worker, by_operator=False), claim_ttl)
    state.put(alive, {"token": token, "worker": worker}, alive_ttl)
    return [1, *rest]


@_rule("finish")
def _finish(state: State, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, request, cleaned = keys
    token, worker, attempt, retention, outcome, text = args
    held, wanted, ended = state.object(claim), state.object(record), state.object(end)
    if ended:
        return ["already" if ended["token"] == token else "overtaken", ended]
    overtaken = (held and held["token"] != token) or (attempt and wanted and wanted["attempt"] > int(attempt))
    if overtaken or (attempt and not wanted and not held):
        return ["overtaken", ""]
    if outcome != "Cancelled" and cancel in state.values:
        return ["cancelled", ""]
    recorded = {"at": NOW, **json.loads(text)}
    state.put(end, recorded, retention)
    state.put(claim, held or _claimed(token, worker, by_operator=False), retention)
    state.drop(alive, cleaned)
    if outcome == "Succeeded":
        state.drop(cancel, request)
    return ["recorded", recorded]


@_rule("register_worker")
def _register_worker(state: State, keys: list[str], args: list[Any]) -> Any:
    worker, workers, draining, *epoch = keys
    node, ttl, said = args
    known = state.object(workers) or {}
    state.put(worker, json.loads(said), ttl)
    state.put(workers, {**{one: score for one, score in known.items() if score > 1.0}, node: NOW}, None)
    state.drop(draining)
    return _text(state, epoch[0]) if epoch else None


@_rule("unregister_worker")
def _unregister_worker(state: State, keys: list[str], args: list[Any]) -> Any:
    worker, workers, draining = keys
    state.drop(worker, draining)
    if state.object(workers):
        left = {node: score for node, score in state.values[workers].items() if node != args[0]}
        state.put(workers, left, None)
        if not left:
            state.drop(workers)


@_rule("start_draining")
def _start_draining(state: State, keys: list[str], args: list[Any]) -> Any:
    said = state.object(keys[0])
    if not said or said["life"] != args[0]:
        state.put(keys[0], {"life": args[0], "at": NOW}, args[2])


@_rule("mark_cleaned")
def _mark_cleaned(state: State, keys: list[str], args: list[Any]) -> Any:
    cleaned, record = keys
    if record in state.values:
        state.put(cleaned, {"at": NOW}, args[0])


@_rule("report_folders")
def _report_folders(state: State, keys: list[str], args: list[Any]) -> Any:
    ttl_ms, *said = args
    pairs = zip(said[::2], said[1::2], strict=True)
    known = state.object(keys[0]) or {}
    state.put(keys[0], {**known, **{job_id: decoded(text) for job_id, text in pairs}}, ttl_ms)


# --- The operator's ----------------------------------------------------------------------------------------------------


@_fenced("put_record")
def _put_record(state: State, keys: list[str], args: list[Any]) -> Any:
    _, record, records, epoch = keys
    job_id, attempt, text = args
    ids = state.values.get(records)
    state.put(records, {*(ids if isinstance(ids, set) else ()), job_id}, None)
    before = state.object(record)
    if before and before["attempt"] > int(attempt):
        return ["ok", before]
    wanted = json.loads(text)
    if before and before["attempt"] == int(attempt) and "sent_at" in before:
        wanted["sent_at"] = before["sent_at"]
    opened = state.object(epoch)
    if opened:
        wanted["epoch"] = opened["id"]
    state.put(record, wanted, None)
    return ["ok", wanted]


@_fenced("index_records")
def _index_records(state: State, keys: list[str], args: list[Any]) -> Any:
    _, records, *of_jobs = keys
    ids = state.values.get(records)
    kept = {
        *(ids if isinstance(ids, set) else ()),
        *(one for key, one in zip(of_jobs, args, strict=True) if key in state.values),
    }
    state.put(records, kept, None)
    if not kept:
        state.drop(records)
    return ["ok"]


@_fenced("drop_folders")
def _drop_folders(state: State, keys: list[str], args: list[Any]) -> Any:
    known = state.object(keys[1])
    if known:
        left = {job_id: said for job_id, said in known.items() if job_id not in args}
        state.put(keys[1], left, state.ttls[keys[1]])
        if not left:
            state.drop(keys[1])
    return ["ok"]


@_fenced("mark_sent")
def _mark_sent(state: State, keys: list[str], args: list[Any]) -> Any:
    record = state.object(keys[1])
    if record and record["attempt"] == int(args[0]):
        state.put(keys[1], {**record, "sent_at": NOW}, None)
    return ["ok"]


@_fenced("request_cancel")
def _request_cancel(state: State, keys: list[str], args: list[Any]) -> Any:
    if keys[2] not in state.values:
        state.put(keys[1], "pending", 1_000 * args[0])
    return ["ok"]


@_fenced("assert_cancelled")
def _assert_cancelled(state: State, keys: list[str], args: list[Any]) -> Any:
    state.put(keys[2], "1", 1_000 * args[0])
    state.drop(keys[1])
    return ["ok"]


@_fenced("delete")
def _delete(state: State, keys: list[str], args: list[Any]) -> Any:
    state.drop(*keys[1:])
    return ["ok"]


@_fenced("take_claim")
def _take_claim(state: State, keys: list[str], args: list[Any]) -> Any:
    _, claim, end = keys
    token, owner, retention, text = args
    ended, held = state.object(end), state.object(claim)
    if ended:
        return ["ok", int(ended["token"] == token)]
    if held and held["token"] != token:
        return ["ok", 0]
    state.put(claim, _claimed(token, owner, by_operator=True), retention)
    state.put(end, {"at": NOW, **json.loads(text)}, retention)
    return ["ok", 1]


@_fenced("request_stop")
def _request_stop(state: State, keys: list[str], args: list[Any]) -> Any:
    _, stop, end = keys
    if not state.object(end) and not state.object(stop):
        state.put(stop, {"at": NOW, **json.loads(args[1])}, args[0])
    return ["ok"]


@_fenced("force_end")
def _force_end(state: State, keys: list[str], args: list[Any]) -> Any:
    _, claim, end, alive = keys
    token, owner, retention, text = args
    held, living = state.object(claim), state.object(alive)
    if state.object(end):
        return ["ok", state.object(end)]
    if held and living and living["token"] == held["token"]:
        return ["ok", ""]
    recorded = {"at": NOW, **json.loads(text)}
    state.put(end, recorded, retention)
    state.put(claim, held or _claimed(token, owner, by_operator=True), retention)
    return ["ok", recorded]


@_fenced("forget")
def _forget(state: State, keys: list[str], args: list[Any]) -> Any:
    job_id, of_job = args
    attempts = keys[2 + of_job :]
    for first in range(0, len(attempts), 4):
        claim, alive, end, _ = (state.object(key) for key in attempts[first : first + 4])
        if claim and alive and alive["token"] == claim["token"] and not end:
            return ["ok", 0]
    state.drop(*keys[2:])
    if isinstance(state.values.get(keys[1]), set):
        left = state.values[keys[1]] - {job_id}
        state.put(keys[1], left, None)
        if not left:
            state.drop(keys[1])
    return ["ok", 1]


@_fenced("open_epoch")
def _open_epoch(state: State, keys: list[str], args: list[Any]) -> Any:
    epoch = state.object(keys[1])
    if not epoch or epoch["run_id"] != args[0]:
        epoch = {"id": _Epoch(args[0]), "run_id": args[0], "started_at": NOW}
        state.put(keys[1], epoch, None)
    return ["ok", epoch, _Digits()]


class _Digits:
    """A time that Redis's clock gave just now, as text."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.isdigit() and int(other) == NOW

    __hash__ = None  # type: ignore[assignment]


@dataclass
class _Epoch:
    """The id of an epoch that began just now."""

    run_id: str

    def __eq__(self, other: object) -> bool:
        time, _, run = str(other).partition("-")
        return _Digits() == time and run == self.run_id[:8]

    __hash__ = None  # type: ignore[assignment]


# --- Reads -------------------------------------------------------------------------------------------------------------


@_rule("observe")
def _observe(state: State, keys: list[str], args: list[Any]) -> Any:
    seen: list[Any] = [_Digits()]
    for first in range(0, len(keys), 8):
        group = keys[first : first + 8]
        values = [
            "oversized" if isinstance(value, str) and len(value) > args[0] else value
            for value in map(state.values.get, group)
        ]
        flag = group[6] if values[6] is not None else group[5] if values[5] is not None else None
        seen.append([*values, -2 if flag is None else _Left(state.ttls[flag])])
    return seen


@dataclass
class _Left:
    """What is left of a time to live."""

    ttl_ms: int | None

    def __eq__(self, other: object) -> bool:
        if self.ttl_ms is None:
            return other == -1
        return isinstance(other, int) and self.ttl_ms - _TOLERANCE_MS < other <= self.ttl_ms

    __hash__ = None  # type: ignore[assignment]


@_rule("list_records")
def _list_records(state: State, keys: list[str], args: list[Any]) -> Any:
    ids = state.values.get(keys[0])
    return _Unordered(ids if isinstance(ids, set) else set())


@dataclass
class _Unordered:
    """A list in any order."""

    items: set[str]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and sorted(other) == sorted(self.items)

    __hash__ = None  # type: ignore[assignment]


@_rule("list_folders")
def _list_folders(state: State, keys: list[str], args: list[Any]) -> Any:
    return _Pairs(state.object(keys[0]) or {})


@dataclass
class _Pairs:
    """Names and values in turns, the pairs in any order."""

    items: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and dict(zip(other[::2], other[1::2], strict=True)) == self.items

    __hash__ = None  # type: ignore[assignment]


@_rule("live_workers")
def _live_workers(state: State, keys: list[str], args: list[Any]) -> Any:
    worker, draining, _, most_bytes = args
    registered = state.object(keys[0]) or {}
    found: list[Any] = []
    for node, until in sorted(registered.items(), key=lambda pair: (pair[1], pair[0])):
        text = state.values.get(worker + node)
        oversized = isinstance(text, str) and len(text) > most_bytes
        if until > 1.0 and text is not None and not oversized and draining + node not in state.values:
            found += [node, text]
    return found


def normal(reply: Any) -> Any:
    """An answer with its JSON decoded."""
    return [normal(one) for one in reply] if isinstance(reply, list) else decoded(reply)
