"""The scripts and the operator agree on which values are present: state/fields.py against lua/prelude.lua."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reconstruction_operator.state import calls, fields
from reconstruction_operator.state.calls import PRELUDE, part

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_JUDGE = calls.Script.of(
    "judge",
    part(PRELUDE)
    + """
local value = ARGV[1]
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'attempt', ARGV[2] or value, 'queue', ARGV[3] or value,
           'token', value, 'outcome', value, 'stop', value)
local function as_bit(found) return found and 1 or 0 end
local job = job_at(KEYS[1])
local is_record = job.wanted and queue_of(job.queue)
return {as_bit(is_record), as_bit(job.token), as_bit(job.outcome), as_bit(job.stop), as_bit(time_of(value))}
""",
)


def by_scripts(client: redis.Redis, *values: str | bytes) -> list[bool]:
    """Whether it is a record, a token, an end, a stop and a time for the scripts."""
    call: calls.Call[Any] = calls.Call(_JUDGE, ("key",), values, list)
    return [bool(bit) for bit in calls.run(client, call)]


def by_operator(client: redis.Redis) -> list[bool]:
    """The same for the operator, from what it reads there."""
    job = fields.load_job("key", client.hmget("key", list(fields.JOB_FIELDS)))
    parsed: list[Any] = [
        fields.parse_record("job", job),
        fields.parse_claim(job, NOW),
        fields.parse_end(job, "key"),
        fields.parse_stop(job["stop"]),
        fields.time_of(job["token"]),
    ]
    return [part is not None for part in parsed]


RECORD, TOKEN, END, STOP, TIME = range(5)
_NOTHING: tuple[str | bytes, ...] = (
    *("", " 1", "1\n", "1\x00", "x" * 257, "a b", "\x7f", "\u00e9", b"\xff", b"a\xff", "Succeeded\n"),
    "\u0661",  # a digit of another script
)
_TOKENS = ("-1", "+1", "1.0", "1e3", "0x10", "7258118400001", "9" * 15, "0" * 16, "nan", "x" * 256, "succeeded")
VALUES: list[tuple[str | bytes, set[int]]] = [
    *((value, set[int]()) for value in _NOTHING),
    *((value, {TOKEN}) for value in _TOKENS),
    *((value, {TOKEN, TIME}) for value in ("0", "7258118400000")),
    ("007", {RECORD, TOKEN, TIME}),
    *((value, {TOKEN, END}) for value in ("Succeeded", "Stopped")),
    *((value, {TOKEN, STOP}) for value in ("Suspend", "Superseded")),
]
_QUEUES = ("", "-a", "a-", "A", "a_b", "q" * 51, "celery\n", "_kombu.binding.celery")  # malformed
RECORDS = [
    *((*record, True) for record in (("1", "celery"), ("999999999", "gpu-high"), ("0001", "a"), ("1", "q" * 50))),
    *((attempt, "celery", False) for attempt in ("0", "1000000000", "1.5")),
    *(("1", queue, False) for queue in _QUEUES),
]


@pytest.mark.parametrize(("value", "taken"), VALUES, ids=[repr(value)[:20] for value, _ in VALUES])
def test_both_accept_or_refuse_a_value(client: redis.Redis, value: str | bytes, taken: set[int]) -> None:
    expected = [kind in taken for kind in range(5)]
    assert by_scripts(client, value) == expected
    assert by_operator(client) == expected


@pytest.mark.parametrize(("attempt", "queue", "taken"), RECORDS)
def test_both_accept_or_refuse_a_record(client: redis.Redis, attempt: str, queue: str, *, taken: bool) -> None:
    assert by_scripts(client, "x", attempt, queue)[RECORD] is taken
    assert by_operator(client)[RECORD] is taken


@given(value=st.text(max_size=20) | st.binary(max_size=20) | st.from_regex(r"[0-9a-z-]{1,55}", fullmatch=True))
@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_they_agree_on_any_value(client: redis.Redis, value: str | bytes) -> None:
    text = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    for values in ((text,), (text, "1", text), (text, text, "celery")):
        assert by_scripts(client, *values) == by_operator(client), values
