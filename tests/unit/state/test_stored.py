"""Nothing that comes from Redis is trusted."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.status import Inputs, OutputFile, Outputs
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.state import stored

AT_MS = 1_700_000_000_123
AT = datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)
RECORD: dict[str, Any] = {"install_id": "i", "namespace": "ns", "name": "n", "attempt": 2, "queue": "celery"}
CLAIM: dict[str, Any] = {"token": "t", "owner": "w", "by_operator": False, "at": AT_MS}
END: dict[str, Any] = {"token": "t", "outcome": "Succeeded", "at": AT_MS}


def test_a_record_is_read() -> None:
    assert stored.parse_record(RECORD | {"sent_at": AT_MS, "unknown": 1}) == Record("i", "ns", "n", 2, "celery", AT)


def test_a_claim_is_read() -> None:
    assert stored.parse_claim(CLAIM) == Claim("t", "w", by_operator=False, at=AT)


def test_an_end_survives_the_way_to_redis_and_back() -> None:
    end = End(
        Outcome.FAILED,
        "TOO_FEW_IMAGES",
        "2 photos",
        worker="w",
        simulated=True,
        inputs=Inputs(images=2, bytes=10),
        outputs=Outputs("file:///x", 5, (OutputFile("model.glb", 5),)),
        quality={"faces": "120"},
    )
    data = json.loads(stored.dump_end("t", end))
    assert data.pop("token") == "t"
    read = stored.parse_end(data | {"at": AT_MS})
    assert read == End(**{name: getattr(end, name) for name in End.__slots__ if name != "at"}, at=AT)


def test_an_end_is_cut_to_the_limits_of_a_status_on_both_ways() -> None:
    big = End(
        Outcome.SUCCEEDED,
        message="m" * 5_000,
        outputs=Outputs("u" * 5_000, 1, tuple(OutputFile(f"{index:09}" * 100, 1) for index in range(50))),
        quality={f"q{index}": "v" * 1_000 for index in range(50)},
    )
    written = json.loads(stored.dump_end("t", big))
    raw = {
        "outcome": "Succeeded",
        "message": "m" * 5_000,
        "at": AT_MS,
        "outputs": {
            "uri": "u" * 5_000,
            "bytes": 1,
            "files": [{"name": f"{index:09}" * 100, "bytes": 1} for index in range(50)],
        },
        "quality": {f"q{index}": "v" * 1_000 for index in range(50)},
    }
    for end in (stored.parse_end(written | {"at": AT_MS}), stored.parse_end(raw)):
        assert len(end.message) == 1_024
        assert end.outputs is not None
        assert len(end.outputs.uri) == 2_048
        assert len(end.outputs.files) == 16
        assert len(end.outputs.files[0].name) == 256
        assert len(end.quality) == 16
        assert {len(value) for value in end.quality.values()} == {256}


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        pytest.param(stored.parse_record, {}, id="record-empty"),
        pytest.param(stored.parse_record, RECORD | {"attempt": "2"}, id="record-attempt-text"),
        pytest.param(stored.parse_record, RECORD | {"attempt": True}, id="record-attempt-bool"),
        pytest.param(stored.parse_record, RECORD | {"attempt": 0}, id="record-attempt-zero"),
        pytest.param(stored.parse_record, RECORD | {"attempt": float("nan")}, id="record-attempt-nan"),
        pytest.param(stored.parse_record, RECORD | {"attempt": 10**12}, id="record-attempt-huge"),
        pytest.param(stored.parse_record, RECORD | {"name": ["n"]}, id="record-name-list"),
        pytest.param(stored.parse_record, RECORD | {"sent_at": 1e30}, id="record-time-huge"),
        pytest.param(stored.parse_record, RECORD | {"queue": "_kombu.binding.celery"}, id="record-queue-of-kombu"),
        pytest.param(stored.parse_record, RECORD | {"queue": "\ud800"}, id="record-queue-half-a-character"),
        pytest.param(stored.parse_claim, CLAIM | {"token": ""}, id="claim-no-token"),
        pytest.param(stored.parse_claim, CLAIM | {"at": None}, id="claim-no-time"),
        pytest.param(stored.parse_claim, CLAIM | {"at": -1}, id="claim-time-negative"),
        pytest.param(stored.parse_end, END | {"outcome": "Great"}, id="end-outcome-unknown"),
        pytest.param(stored.parse_end, END | {"outcome": 1}, id="end-outcome-number"),
        pytest.param(stored.parse_end, END | {"at": "now"}, id="end-time-text"),
        pytest.param(stored.parse_stop, {"reason": "Because"}, id="stop-reason-unknown"),
        pytest.param(stored.parse_stop, {}, id="stop-empty"),
    ],
)
def test_a_malformed_value_reads_as_absent(parse: Any, data: dict[str, Any]) -> None:
    assert stored.load(f"key-of-{id(data)}", json.dumps(data), parse) is None


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "1", "null", "oversized", "[" * 100_000, '{"attempt": 1e400}', b"{}", 7],
    ids=lambda one: repr(one)[:12],
)
def test_what_is_no_json_object_reads_as_absent(text: object) -> None:
    assert stored.load("key", text, stored.parse_record) is None


@pytest.mark.parametrize("text", [None, ""])
def test_an_absent_value_is_nothing_to_complain_about(text: object, caplog: pytest.LogCaptureFixture) -> None:
    assert stored.load("key", text, stored.parse_record) is None
    assert caplog.records == []


def test_a_malformed_value_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            stored.load("job:logged-once", "{", stored.parse_record)
    assert [record.getMessage().partition(" is malformed")[0] for record in caplog.records] == [
        "the value of Redis key job:logged-once"
    ]


def test_wrong_parts_of_an_end_do_not_hide_its_outcome() -> None:
    end = stored.parse_end(
        END
        | {
            "simulated": "yes",
            "message": {},
            "worker": 7,
            "inputs": {"images": -3, "bytes": "many"},
            "outputs": {"uri": 7, "bytes": 2**60, "files": ["x"]},
            "quality": {"a": 1, "b": [2], "c": 0.5},
        }
    )
    assert end.outcome is Outcome.SUCCEEDED
    assert end.simulated is False
    assert end.inputs == Inputs()
    assert end.outputs == Outputs("", 0, (OutputFile("", 0),))
    assert end.quality == {"a": "1", "c": "0.5"}


def test_a_stop_is_read() -> None:
    assert stored.parse_stop({"reason": "Deadline", "at": AT_MS}) is StopReason.DEADLINE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    data=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (
                "outcome",
                "token",
                "owner",
                "at",
                "attempt",
                "message",
                "inputs",
                "outputs",
                "quality",
                "sent_at",
                "reason",
            ),
            json_values,
        ),
    ),
    outcome=st.sampled_from(["Succeeded", "Failed", None]),
)
def test_no_json_object_whatsoever_raises(data: dict[str, Any], outcome: str | None) -> None:
    text = json.dumps(data | ({"outcome": outcome, "at": 1} if outcome else {}))
    for parse in (stored.parse_record, stored.parse_claim, stored.parse_end, stored.parse_stop, stored.parse_token):
        result: object = stored.load("key", text, parse)
        assert result is None or isinstance(result, Record | Claim | End | StopReason | str)


HOSTILE = "a\x1b[2J\x00b\u202ec\ud800\nd"  # a terminal's command, a turned direction, half a character, a second line
HARMLESS = "a\ufffd[2J\ufffdb\ufffdc\ufffd d"


def test_texts_lose_what_terminals_obey_and_encoders_trip_over() -> None:
    end = stored.parse_end(
        END
        | {
            "reason": HOSTILE,
            "message": HOSTILE,
            "worker": HOSTILE,
            "outputs": {"uri": HOSTILE, "files": [{"name": HOSTILE, "bytes": 1}]},
            "quality": {HOSTILE: HOSTILE},
        }
    )
    assert (end.reason, end.message, end.worker) == (HARMLESS, HARMLESS, HARMLESS)
    assert end.outputs == Outputs(HARMLESS, 0, (OutputFile(HARMLESS, 1),))
    assert end.quality == {HARMLESS: HARMLESS}
    assert stored.parse_claim(CLAIM | {"owner": HOSTILE}).owner == HARMLESS
    assert stored.parse_record(RECORD | {"name": HOSTILE}).name == HARMLESS
