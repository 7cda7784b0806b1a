"""The one model of the protocol: what each script answers and changes, as pure functions over keys, values and TTLs.

With a clock it stands in for Redis (`State.run`): a test of decisions needs no server then. Without one it is what the
scripts are compared with on a real Redis: times are matchers (`NOW`), since only Redis knows them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import redis
from reconstruction_operator.contract.records import OPERATOR_TOKEN
from reconstruction_operator.state.calls import Call

T = TypeVar("T")

# Under any key of a job, these fields break each rule by which something is present.
NONSENSE_FIELDS: Final = {
    "attempt": "1.5",
    "queue": "-",
    "token": "",
    "outcome": "Deleted",
    "reason": "x",
    "id": "x" * 65,
}
_TOLERANCE_MS: Final = 120_000  # how much of a TTL may pass between a call and the look at it
_OF_A_JOB: Final = ("job:", "claim:", "alive:", "end:", "stop:")  # hashes, or texts of the version before
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
    """A time that Redis's clock gave just now, as a number or as digits."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other.isdigit() and int(other) > 1.7e12
        return not isinstance(other, bool) and isinstance(other, int | float) and other > 1.7e12

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "now"


NOW: Final = _Now()


def as_text(fields: dict[str, str]) -> str:
    """A hash as the version before kept it: as a JSON text."""
    numbers = {"attempt", "at", "sent_at"}
    value: dict[str, Any] = {name: int(text) if name in numbers else text for name, text in fields.items()}
    details = json.loads(value.pop("details", "{}"))
    return json.dumps({"by_operator": fields.get("token") == OPERATOR_TOKEN, **value, **details})


def _from_text(text: str) -> dict[str, str] | str:
    """The fields of such a text; the text itself if it is none."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    if not isinstance(data, dict) or not data:
        return text
    data.pop("by_operator", None)
    if "outcome" not in data:
        return {name: str(value) for name, value in data.items()}
    fields = {name: str(data.pop(name)) for name in ("token", "outcome", "at")}
    return fields | {"details": json.dumps(data, separators=(",", ":"))}


def put_foreign(client: redis.Redis, key: str, kind: str) -> None:
    """Put a value of that type under a key: not the type, or not the fields, that it has for us."""
    match kind:
        case "string":
            client.set(key, "x")
        case "list":
            client.rpush(key, "x")
        case "set":
            client.sadd(key, "x")
        case _:
            client.hset(key, mapping=NONSENSE_FIELDS)  # type: ignore[arg-type]  # as narrow as redis-py's annotation


@dataclass
class State:
    """All that a Redis holds. A TTL of None means none. `clock`: the time in ms, if it is known."""

    values: dict[str, Any] = field(default_factory=dict)
    ttls: dict[str, int | None] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)  # keys of the jobs whose records are texts of the version before
    clock: int | None = None

    @classmethod
    def of(cls, client: redis.Redis) -> State:
        """What a real Redis holds."""
        state = cls()
        for key, kind, value, ttl_ms in client.eval(_DUMP, 0):  # type: ignore[no-untyped-call,union-attr]
            match kind:
                case "set":
                    state.values[key] = set(value)
                case "hash":
                    state.values[key] = dict(zip(value[::2], value[1::2], strict=True))
                case "zset":
                    pairs = zip(value[::2], value[1::2], strict=True)
                    state.values[key] = {node: float(score) for node, score in pairs}
                case "string" if key.startswith(_OF_A_JOB):
                    state.values[key] = _from_text(value)
                    if isinstance(state.values[key], dict):
                        state.texts.add(key)
                case _:
                    state.values[key] = value
            state.ttls[key] = None if ttl_ms < 0 else ttl_ms
        return state

    def copy(self) -> State:
        """Another one, which may be changed."""
        return State(dict(self.values), dict(self.ttls), set(self.texts), self.clock)

    def run(self, call: Call[T]) -> T:
        """Carry out a call, as `calls.run` does on a Redis. It needs a clock."""
        return call.read(RULES[call.script.name](self, list(call.keys), list(call.args)))

    def pass_time(self, ms: int) -> None:
        """Let the clock go on: keys whose TTL is over expire."""
        self.clock = (self.clock or 0) + ms
        for key, ttl_ms in list(self.ttls.items()):
            if ttl_ms is not None:
                self.ttls[key] = ttl_ms - ms
                if ttl_ms <= ms:
                    self.drop(key)

    @property
    def now(self) -> Any:
        """The time as a script writes it."""
        return NOW if self.clock is None else str(self.clock)

    def fields(self, key: str) -> dict[str, Any] | None:
        """The hash under a key; None if it is missing or malformed."""
        value = self.values.get(key)
        return value if isinstance(value, dict) and value != NONSENSE_FIELDS else None

    def attempt(self, record_key: str) -> int | None:
        """The attempt that a record wants."""
        record = self.fields(record_key)
        return int(record["attempt"]) if record else None

    def token(self, key: str) -> str | None:
        """Of a claim or a heartbeat."""
        found = self.fields(key)
        return found["token"] if found else None

    def epoch(self, key: str) -> Any:
        """The id of the epoch that Redis is in; None without one."""
        return (self.fields(key) or {}).get("id")

    def note(self, record_key: str, name: str) -> None:
        """Note something in a record, if there is one."""
        if self.fields(record_key) and record_key not in self.texts:
            self.put(record_key, {**self.values[record_key], name: "1"}, None)

    def forget_notes(self, record_key: str, *names: str) -> None:
        """Drop these notes."""
        record = self.fields(record_key)
        if record and record_key not in self.texts:
            self.put(record_key, {name: value for name, value in record.items() if name not in names}, None)

    def flag(self, key: str) -> int:
        """1 if the key exists."""
        return int(key in self.values)

    def put(self, key: str, value: Any, ttl_ms: int | None, record_key: str | None = None) -> None:
        """Replace a value, in the form of that record."""
        is_text = record_key in self.texts
        self.drop(key)
        self.values[key] = value
        self.ttls[key] = ttl_ms
        if is_text:
            self.texts.add(key)

    def drop(self, *keys: str) -> None:
        """Delete keys."""
        for key in keys:
            self.values.pop(key, None)
            self.ttls.pop(key, None)
            self.texts.discard(key)

    def answer(self, key: str, *names: str) -> list[Any]:
        """These fields as a script answers them: None for each that is missing."""
        found = self.fields(key) or self.values.get(key)
        values = [found.get(name) for name in names] if isinstance(found, dict) else [None] * len(names)
        if found == "{}" and "details" in names:  # as the version before would have kept an end
            values[names.index("details")] = found
        if key in self.texts and "details" in names:
            values[names.index("details")] = _Text(values[names.index("details")])
        return values

    def ended(self, key: str) -> list[Any]:
        """How an attempt ended."""
        return self.answer(key, "outcome", "at", "details")

    def differences(self, expected: State) -> Iterator[str]:
        """Where this differs from what was expected, in words."""
        for key in sorted(self.values.keys() | expected.values.keys()):
            seen, wanted = self.values.get(key, "absent"), expected.values.get(key, "absent")
            if not wanted == seen:  # noqa: SIM201  # NOW decides what it equals
                yield f"{key} is {seen}, not {wanted}"
                continue
            if (key in self.texts) != (key in expected.texts):
                yield f"{key} is {'a text' if key in self.texts else 'a hash'}"
            ttl, wanted_ttl = self.ttls.get(key), expected.ttls.get(key)
            near = wanted_ttl is None or (ttl is not None and wanted_ttl - _TOLERANCE_MS < ttl <= wanted_ttl)
            if not near or (ttl is None) != (wanted_ttl is None):
                yield f"{key} lives for {ttl} ms, not {wanted_ttl}"


def expected(before: State, call: Call[Any]) -> tuple[Any, State]:
    """The answer to a call, and what Redis holds afterwards."""
    after = before.copy()
    reply = RULES[call.script.name](after, list(call.keys), list(call.args))
    return reply, after


# --- Answers of which only some is known


@dataclass
class _Text:
    """The details of an end that is kept as a text: the whole text."""

    details: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and json.loads(other).items() >= json.loads(self.details).items()

    __hash__ = None  # type: ignore[assignment]


@dataclass
class _Epoch:
    """The id of an epoch that began just now."""

    rest: str

    def __eq__(self, other: object) -> bool:
        time, _, rest = str(other).partition("-")
        return time == NOW and rest == self.rest

    __hash__ = None  # type: ignore[assignment]


@dataclass
class _Left:
    """What is left of a TTL."""

    ttl_ms: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and self.ttl_ms - _TOLERANCE_MS < other <= self.ttl_ms

    __hash__ = None  # type: ignore[assignment]


@dataclass
class _Unordered:
    """A list in any order."""

    items: set[str]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and sorted(other) == sorted(self.items)

    __hash__ = None  # type: ignore[assignment]


@dataclass
class _Pairs:
    """Names and values in turns, the pairs in any order."""

    items: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and dict(zip(other[::2], other[1::2], strict=True)) == self.items

    __hash__ = None  # type: ignore[assignment]


# --- The scripts, by name

Rule = Callable[[State, list[str], list[Any]], Any]
RULES: dict[str, Rule] = {}


def _rule(rule: Rule) -> Rule:
    RULES[rule.__name__.removeprefix("_")] = rule
    return rule


def _fenced(rule: Rule) -> Rule:
    """A rule of the operator's: one that was deposed changes nothing."""

    def fenced(state: State, keys: list[str], args: list[Any]) -> Any:
        text = state.values.get(keys[0])
        seen = int(text) if isinstance(text, str) and text.isdigit() else -1
        if int(args[0]) < seen:
            return ["deposed", str(seen)]
        if int(args[0]) > seen:
            state.put(keys[0], str(args[0]), None)
        return rule(state, keys, args[1:])

    RULES[rule.__name__.removeprefix("_")] = fenced
    return rule


def _put_claim(
    state: State, keys: tuple[str, str, str], ttl_ms: int, holder: tuple[str, str], *, ended: bool = False
) -> None:
    """`keys`: of the claim, of the record whose form it has, and of the epoch."""
    (key, record, epoch), (token, owner) = keys, holder
    claim = {"token": token, "owner": owner, "at": state.now}
    before = state.fields(key)
    if before and before["token"] == token:
        claim |= {"owner": before["owner"], "at": before["at"]}
    current = state.epoch(epoch)
    if current:
        claim["epoch"] = current
    if ended:
        claim["ended"] = "1"
    state.put(key, claim, ttl_ms, record)


def _count_look(state: State, epoch: str) -> tuple[str, str]:
    """The number of looks before and after one."""
    found = state.fields(epoch)
    if not found or "id" not in found:
        return "0", "0"
    before = int(found.get("looks", 0))
    state.put(epoch, {**found, "looks": str(before + 1)}, None)
    return str(before), str(before + 1)


def _put_end(state: State, key: str, record: str, ttl_ms: int, end: tuple[str, str, str]) -> list[Any]:
    token, outcome, details = end
    state.put(key, {"token": token, "outcome": outcome, "at": state.now, "details": details}, ttl_ms, record)
    return [outcome, state.now, details]


# The worker's


@_rule
def _claim(state: State, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, stop, epoch = keys
    token, worker, attempt, claim_ttl, alive_ttl = args
    held, wanted = state.token(claim), state.attempt(record)
    if not attempt and held not in (token, state.token(alive)):
        held = None  # no operator would repeat a task without a record
    if state.fields(end) or (held and held != token):
        return ["duplicate"]
    if attempt and wanted and wanted != int(attempt):
        return ["unwanted"]
    if attempt and not wanted and not held:
        return ["no-record"]
    if not held:
        _put_claim(state, (claim, record, epoch), claim_ttl, (token, worker))
        state.note(record, "begun")
    state.put(alive, {"token": token, "worker": worker}, alive_ttl, record)
    return ["claimed", state.flag(cancel), (state.fields(stop) or {}).get("reason", "")]


@_rule
def _beat(state: State, keys: list[str], args: list[Any]) -> Any:
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
    if held and noted and (claim in state.texts or record not in state.texts):
        state.ttls[claim] = claim_ttl
    else:
        _put_claim(state, (claim, record, epoch), claim_ttl, (token, worker))
        state.note(record, "begun")
    state.put(alive, {"token": token, "worker": worker}, alive_ttl, record)
    return [1, *rest]


@_rule
def _finish(state: State, keys: list[str], args: list[Any]) -> Any:
    claim, alive, end, record, cancel, request, cleaned, epoch = keys
    token, worker, attempt, retention, outcome, details, has_deleted = args
    held, wanted, ended = state.token(claim), state.attempt(record), state.fields(end)
    if ended:
        return ["already" if ended["token"] == token else "overtaken", state.ended(end)]
    overtaken = (held and held != token) or (attempt and wanted and wanted > int(attempt))
    if overtaken or (attempt and not wanted and not held):
        return ["overtaken"]
    if outcome != "Cancelled" and cancel in state.values:
        return ["cancelled"]
    if not attempt and outcome == "Stopped":
        state.drop(claim, alive)
        return ["released"]
    _put_claim(state, (claim, record, epoch), retention, (token, worker), ended=True)
    state.drop(alive, cleaned)
    state.forget_notes(record, "cleaned", "deleted")
    if has_deleted:
        state.note(record, "deleted")
    if outcome == "Succeeded":
        state.drop(cancel, request)
    return ["recorded", _put_end(state, end, record, retention, (token, outcome, details))]


@_rule
def _register_worker(state: State, keys: list[str], args: list[Any]) -> Any:
    worker, workers, draining, epoch = keys
    node, ttl, registration = args
    known = state.fields(workers) or {}
    state.put(worker, registration, ttl)
    state.put(workers, {**{one: score for one, score in known.items() if score > 1.0}, node: NOW}, None)
    state.drop(draining)
    return state.answer(epoch, "id")[0] or ""


@_rule
def _unregister_worker(state: State, keys: list[str], args: list[Any]) -> Any:
    worker, workers, draining = keys
    state.drop(worker, draining)
    if state.fields(workers):
        left = {node: score for node, score in state.values[workers].items() if node != args[0]}
        state.put(workers, left, None)
        if not left:
            state.drop(workers)


@_rule
def _start_draining(state: State, keys: list[str], args: list[Any]) -> Any:
    life, _, ttl_ms = args
    if (state.fields(keys[0]) or {}).get("life") != life:
        state.put(keys[0], {"life": life, "at": NOW}, ttl_ms)


@_rule
def _mark_cleaned(state: State, keys: list[str], args: list[Any]) -> Any:
    cleaned, record = keys
    if record in state.values:
        state.put(cleaned, state.now, args[0])
        state.note(record, "cleaned")


@_rule
def _report_folders(state: State, keys: list[str], args: list[Any]) -> Any:
    ttl_ms, *reports = args
    known = state.fields(keys[0]) or {}
    state.put(keys[0], {**known, **dict(zip(reports[::2], reports[1::2], strict=True))}, ttl_ms)


# The operator's

_RECORD: Final = (
    "attempt",
    "queue",
    "install_id",
    "namespace",
    "name",
    "sent_at",
    "orders",
    "begun",
    "cleaned",
    "deleted",
)


@_fenced
def _put_record(state: State, keys: list[str], args: list[Any]) -> Any:
    _, record, records = keys
    job_id, attempt, *place = args
    ids = state.values.get(records)
    state.put(records, {*(ids if isinstance(ids, set) else ()), job_id}, None)
    before = state.fields(record)
    if not before or int(before["attempt"]) <= attempt:
        wanted = dict(zip(_RECORD, (str(attempt), *place), strict=False))
        if before:
            same = ("sent_at", "orders", "cleaned", "deleted") if int(before["attempt"]) == attempt else ()
            wanted |= {name: before[name] for name in ("begun", *same) if name in before}
        state.put(record, wanted, None, record)
    return ["ok", state.answer(record, *_RECORD)]


@_fenced
def _index_records(state: State, keys: list[str], args: list[Any]) -> Any:
    _, records, giver, *of_jobs = keys
    install, *job_ids = args
    given = giver != records
    index, theirs = state.values.get(records), state.values.get(giver)
    kept = {*(index if isinstance(index, set) else ())}
    kept |= {one for key, one in zip(of_jobs, job_ids, strict=True) if given or key in state.values}
    changed = [(records, kept)]
    if given and isinstance(theirs, set):
        changed.append((giver, theirs - {*job_ids}))
    for key, ids in changed:
        state.put(key, ids, None)
        if not ids:
            state.drop(key)
    for key in of_jobs:
        if state.attempt(key) and state.values[key].get("install_id") != install:
            state.put(key, state.values[key] | {"install_id": install}, None, key)
    return ["ok"]


@_fenced
def _inherit(state: State, keys: list[str], args: list[Any]) -> Any:
    _, history, *theirs = keys
    known = state.fields(history) or {}
    groups = list(zip(theirs[::3], theirs[1::3], theirs[2::3], strict=True))
    times = [int((state.fields(key) or {}).get("restored_at", -1)) for key, _, _ in groups]
    if max(times, default=-1) > int(known.get("restored_at", -1)):
        state.put(history, known | {"restored_at": str(max(times))}, None)
    found = [place for place, (_, *others) in enumerate(groups, 1) if any(key in state.values for key in others)]
    return ["ok", found]


@_fenced
def _drop_folders(state: State, keys: list[str], args: list[Any]) -> Any:
    known = state.fields(keys[1])
    if known:
        left = {job_id: report for job_id, report in known.items() if job_id not in args}
        state.put(keys[1], left, state.ttls[keys[1]])
        if not left:
            state.drop(keys[1])
    return ["ok"]


@_fenced
def _mark_sent(state: State, keys: list[str], args: list[Any]) -> Any:
    record = keys[1]
    attempt, is_order = args
    if state.attempt(record) == attempt:
        marked = {**state.values[record], "sent_at": state.now}
        orders = int(marked.pop("orders", 0)) + 1
        state.put(record, marked | ({"orders": str(orders)} if is_order else {}), None, record)
    return ["ok"]


@_fenced
def _request_cancel(state: State, keys: list[str], args: list[Any]) -> Any:
    if keys[2] not in state.values:
        state.put(keys[1], "pending", 1_000 * args[0])
    return ["ok"]


@_fenced
def _assert_cancelled(state: State, keys: list[str], args: list[Any]) -> Any:
    state.put(keys[2], "1", 1_000 * args[0])
    state.drop(keys[1])
    return ["ok"]


@_fenced
def _withdraw_request(state: State, keys: list[str], args: list[Any]) -> Any:
    state.drop(keys[1])
    return ["ok"]


@_fenced
def _clear_flags(state: State, keys: list[str], args: list[Any]) -> Any:
    state.drop(*keys[1:])
    return ["ok"]


@_fenced
def _take_claim(state: State, keys: list[str], args: list[Any]) -> Any:
    _, claim, end, record, epoch = keys
    token, owner, retention, outcome, details = args
    ended, held = state.fields(end), state.token(claim)
    if ended:
        return ["ok", int(ended["token"] == token)]
    if held and held != token:
        return ["ok", 0]
    _put_claim(state, (claim, record, epoch), retention, (token, owner), ended=True)
    _put_end(state, end, record, retention, (token, outcome, details))
    return ["ok", 1]


@_fenced
def _request_stop(state: State, keys: list[str], args: list[Any]) -> Any:
    _, stop, end, record = keys
    retention, reason, *_ = args  # what it publishes is no state
    if not state.fields(end) and not state.fields(stop):
        state.put(stop, {"reason": reason, "at": state.now}, retention, record)
    return ["ok"]


@_fenced
def _force_end(state: State, keys: list[str], args: list[Any]) -> Any:
    _, claim, end, record, epoch, alive = keys
    token, owner, retention, outcome, details = args
    held = state.token(claim)
    if state.fields(end):
        return ["ok", state.ended(end)]
    if held and state.token(alive) == held:
        return ["ok"]
    _put_claim(state, (claim, record, epoch), retention, (held or token, owner), ended=True)
    return ["ok", _put_end(state, end, record, retention, (token, outcome, details))]


@_fenced
def _forget(state: State, keys: list[str], args: list[Any]) -> Any:
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


@_fenced
def _assert_leader(state: State, keys: list[str], args: list[Any]) -> Any:  # as every rule
    return ["ok"]


@_fenced
def _open_epoch(state: State, keys: list[str], args: list[Any]) -> Any:
    run_id, known = args
    epoch = state.fields(keys[1]) or {}
    looks = int(epoch.get("looks", 0))
    if epoch.get("run_id") != run_id or looks < known:
        looks = max(looks, known)
        begun = {"id": _Epoch(f"{run_id[:8]}-{looks}"), "run_id": run_id, "started_at": state.now, "looks": str(looks)}
        state.put(keys[1], begun, None)
    counted = _count_look(state, keys[1])
    return ["ok", state.answer(keys[1], "id", "run_id", "started_at"), state.now, *counted]


@_fenced
def _note_version(state: State, keys: list[str], args: list[Any]) -> Any:
    noted = state.fields(keys[1]) or {}
    before, version, restored_at = int(noted.get("version", 0)), int(args[0]), noted.get("restored_at")
    restored = version > 0 and (args[1] == "restored" or (args[1] == "list" and version < before))
    restored_at = state.now if restored else restored_at
    if restored or version > before:
        state.put(keys[1], {"version": str(version)} | ({"restored_at": restored_at} if restored_at else {}), None)
    return ["ok", restored_at or "", state.now]


# Reads


@_rule
def _observe(state: State, keys: list[str], args: list[Any]) -> Any:
    def left(key: str) -> Any:
        if key not in state.values:
            return -2
        ttl_ms = state.ttls[key]
        return -1 if ttl_ms is None else ttl_ms if state.clock is not None else _Left(ttl_ms)

    *of_jobs, epoch = keys
    seen: list[Any] = [state.now, [state.epoch(epoch) or "", *_count_look(state, epoch)]]
    for first in range(0, len(of_jobs), 8):
        record, claim, alive, end, stop, request, cancel, cleaned = of_jobs[first : first + 8]
        seen.append(
            [
                state.answer(record, *_RECORD),
                state.answer(claim, "token", "owner", "at", "epoch", "ended"),
                state.answer(alive, "token"),
                state.ended(end),
                state.answer(stop, "reason"),
                left(request),
                left(cancel),
                state.flag(cleaned),
            ]
        )
    return seen


@_rule
def _with_heartbeat(state: State, keys: list[str], args: list[Any]) -> Any:
    return [state.flag(key) for key in keys]


@_rule
def _list_records(state: State, keys: list[str], args: list[Any]) -> Any:
    ids = state.values.get(keys[0])
    found: set[str] = ids if isinstance(ids, set) else set()
    return _Unordered(found) if state.clock is None else sorted(found)


@_rule
def _list_folders(state: State, keys: list[str], args: list[Any]) -> Any:
    found = state.fields(keys[0]) or {}
    return _Pairs(found) if state.clock is None else [one for pair in found.items() for one in pair]


@_rule
def _live_workers(state: State, keys: list[str], args: list[Any]) -> Any:
    worker, draining, _, most_bytes = args
    registered = state.fields(keys[0]) or {}
    found: list[Any] = []
    for node, until in sorted(registered.items(), key=lambda pair: (pair[1], pair[0])):
        text = state.values.get(worker + node)
        readable = isinstance(text, str) and len(text) <= most_bytes
        if until > 1.0 and readable and draining + node not in state.values:
            found += [node, text]
    return found
