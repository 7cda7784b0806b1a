"""The scripts and the operator read the same values as the same thing: what one of them takes, the other takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reconstruction_operator.state import scripts, stored

pytestmark = pytest.mark.real

AT = 1_700_000_000_000
# The prelude, which comes before every script, and what it makes of one value.
_JUDGE = (
    scripts.CLAIM.text.partition("-- A delivery asks")[0]
    + """
local key = KEYS[1]
return {end_at(key) and 1 or 0, claim_at(key) and 1 or 0, stop_at(key) and 1 or 0, wanted(object_at(key)) and 1 or 0}
"""
)
_PARSERS = (stored.parse_end, stored.parse_claim, stored.parse_stop, stored.parse_record)


def both(client: redis.Redis, text: str | bytes) -> tuple[list[bool], list[bool]]:
    """Whether it is an end, a claim, a stop, and a record: for the scripts, and for the operator."""
    client.set("key", text)
    by_scripts = [bool(one) for one in client.eval(_JUDGE, 1, "key")]
    return by_scripts, [stored.load("key", client.get("key"), parse) is not None for parse in _PARSERS]


def end(value: str) -> str:
    return f'{{"outcome":"Failed","at":{AT},"x":{value}}}'


TAKEN = {
    "plain": end('"m"'),
    "numbers in a text": end('"error: 0x7f, 007 [0x1] nan \\" : 0x2 \\\\"'),
    "brackets in a text": end(f'"{"[{" * 500}"'),
    "a pair of halves": end('"\\ud83d\\ude00"'),
    "an escaped escape": end('"\\\\ud800"'),
    "numbers": end("[0, -0, 10, 0.5, -1.25e+10, 1E5, 2.0]"),
    "literals": end("[true, false, null]"),
    "a written delete": end('"\x7f"'),
    "blanks": f' {{ "outcome" : "Failed" , "at" : {AT} }} ',
    "escaped controls": end('"\\u0000\\u001b\\n"'),
}
REFUSED: dict[str, str | bytes] = {
    "a raw control character": end('"\x01"'),
    "a raw line break": end('"\n"'),
    "a line break between": end("1").replace(",", ",\n"),
    "NUL and more": end("1") + "\x00x",
    "hex": end("0x10"),
    "a leading zero": end("010"),
    "a negative leading zero": end("-00"),
    "nothing after the dot": end("1."),
    "a plus": end("+1"),
    **{name: end(name) for name in ("NaN", "nan", "-nan", "Infinity", "-Infinity", "inf", "infinity", "1e400")},
    "more digits than anybody has": end("9" * 400),
    "half a character": end('"\\ud800"'),
    "the other half": end('"\\udfff"'),
    "half a name": f'{{"outcome":"Failed","at":{AT},"\\ud800":1}}',
    "too deep": end("[" * 200 + "]" * 200),
    "deeper than Python goes": end("[" * 990 + "]" * 990),
    "a time after all others": '{"outcome":"Failed","at":253402300799000}',
    "a vertical tab": "\x0b" + end("1"),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN.keys())
def test_both_take_it(client: redis.Redis, text: str) -> None:
    assert both(client, text) == ([True, False, False, False],) * 2


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_both_refuse_it(client: redis.Redis, text: str) -> None:
    assert both(client, text) == ([False] * 4,) * 2


_TEXTS = st.text(max_size=5) | st.sampled_from(
    ["Failed", "Cancelled", "Deadline", "t", "", "celery", "a-b", "-a", "a-", "A", "q" * 50, "q" * 51]
)
_NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, 1.5, 2.0, 999_999_999, 10**9, AT, 7_258_118_400_001])
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)
_NAMES = (
    "outcome",
    "token",
    "at",
    "attempt",
    "queue",
    "name",
    "install_id",
    "namespace",
    "sent_at",
    "reason",
    "outputs",
)
_USUAL: dict[str, Any] = {"outcome": "Failed", "token": "t", "at": AT, "reason": "Deadline", "attempt": 1}


@given(
    changes=st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4),
    ascii_only=st.booleans(),
    splice=st.none() | st.tuples(st.integers(0, 200), st.binary(max_size=2)),
)
@settings(max_examples=1_000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_they_agree_about_any_value(
    client: redis.Redis, changes: dict[str, Any], ascii_only: bool, splice: tuple[int, bytes] | None
) -> None:
    text = json.dumps(_USUAL | changes, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if splice is not None:
        at, byte = splice
        text = text[:at] + byte + text[at + 1 :]
    by_scripts, by_operator = both(client, text)
    assert by_scripts == by_operator, text
