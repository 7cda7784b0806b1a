"""Fields of the hashes in Redis, and the JSON that no script parses: none is trusted."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from reconstruction_operator.api.status import Inputs, OutputFile, Outputs, StepTime, Usage
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import OPERATOR_TOKEN, Claim, End, Record
from reconstruction_operator.state import fields

AT = datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)
AT_MS = "1700000000123"
NOW = datetime(2024, 1, 1, tzinfo=UTC)
LATER_MS = "1800000000000"
FULL = End(
    Outcome.FAILED,
    "TOO_FEW_IMAGES",
    "2 photos",
    worker="w",
    simulated=True,
    inputs=Inputs(images=2, bytes=10),
    outputs=Outputs("file:///x", 5, (OutputFile("model.glb", 5),)),
    quality={"faces": "120"},
    warning="11 of 16 photos were aligned",
    steps=(StepTime("Loading input files", 12), StepTime("Preprocessing images", 0)),
    usage=Usage(340, 1 << 30),
    resumed_from="matches of attempt 1",
    files_left=True,
)


def ended(details: object, outcome: str = "Succeeded") -> End:
    """The end with these details."""
    text = details if isinstance(details, str) else json.dumps(details)
    end = fields.load_end("end:job-1", [outcome, AT_MS, text])
    assert end is not None
    return end


def test_a_record_and_a_stop_are_read() -> None:
    values = ["2", "celery", "i", "ns", "n", AT_MS, "3"]
    assert fields.load("key", values, fields.parse_record) == Record("i", "ns", "n", 2, "celery", AT, orders=3)
    assert fields.load("key", ["Deadline"], fields.parse_stop) is StopReason.DEADLINE


@pytest.mark.parametrize("sent_at", [None, "", "x", "1e30", "253402300799000"])
def test_a_record_without_a_time_was_not_sent(sent_at: str | None) -> None:
    assert fields.parse_record("2", "celery", None, None, None, sent_at, None) == Record("", "", "", 2, "celery")


@pytest.mark.parametrize(
    ("token", "at", "expected"),
    [
        pytest.param("t", AT_MS, Claim("t", "w", by_operator=False, at=AT), id="of a worker"),
        pytest.param(OPERATOR_TOKEN, AT_MS, Claim(OPERATOR_TOKEN, "w", by_operator=True, at=AT), id="of the operator"),
        pytest.param("t", LATER_MS, Claim("t", "w", by_operator=False, at=NOW), id="in the future"),
        pytest.param("t", "x", Claim("t", "w", by_operator=False, at=NOW), id="without a time"),
    ],
)
def test_a_claim_is_read(token: str, at: str, expected: Claim) -> None:
    assert fields.load("key", [token, "w", at], fields.parse_claim, now=NOW) == expected


def test_an_end_is_read_as_it_was_written_with_or_without_details() -> None:
    assert ended(fields.dump_details(FULL), "Failed") == replace(FULL, at=AT)
    assert fields.load_end("key", ["Succeeded", AT_MS, None]) == End(Outcome.SUCCEEDED, at=AT)


@pytest.mark.parametrize(("at", "expected"), [(LATER_MS, NOW), ("x", NOW), (AT_MS, AT)])
def test_an_end_is_not_in_the_future(at: str, expected: datetime) -> None:
    assert fields.load_end("key", ["Failed", at, None], now=NOW) == End(Outcome.FAILED, at=expected)


@pytest.mark.parametrize("steps", [7, "text", {"name": "x"}, [7, None, [], {}, {"name": 7}, {"name": ""}]], ids=str)
def test_invalid_steps_leave_the_other_details(steps: object) -> None:
    end = ended({"message": "It ended.", "steps": steps, "usage": steps})
    assert (end.message, end.steps, end.usage) == ("It ended.", (), None if steps != {"name": "x"} else Usage())


def test_an_end_is_cut_to_the_limits_of_a_status_on_both_ways() -> None:
    files = tuple(OutputFile(f"{index:09}" * 100, 1) for index in range(50))
    quality = {f"q{index}": "v" * 1_000 for index in range(50)}
    steps = tuple(StepTime("s" * 1_000, -1) for _ in range(50))
    big = End(
        Outcome.SUCCEEDED,
        message="m" * 5_000,
        outputs=Outputs("u" * 5_000, 1, files),
        quality=quality,
        steps=steps,
        usage=Usage(-1, 2**60),
    )
    raw = {
        "message": "m" * 5_000,
        "outputs": {"uri": "u" * 5_000, "bytes": 1, "files": [{"name": one.name, "bytes": 1} for one in files]},
        "quality": quality,
        "steps": [{"name": one.name, "seconds": one.seconds} for one in steps],
        "usage": {"cpuSeconds": -1, "peakMemoryBytes": 2**60},
    }
    for end in (ended(fields.dump_details(big)), ended(raw)):
        assert len(end.message) == 1_024
        assert end.outputs is not None
        assert len(end.outputs.uri) == 2_048
        assert len(end.outputs.files) == 16
        assert len(end.outputs.files[0].name) == 256
        assert len(end.steps) == 16
        assert end.steps[0] == StepTime("s" * 256, 0)
        assert end.usage == Usage(None, None)
        assert len(end.quality) == 16
        assert {len(value) for value in end.quality.values()} == {256}


@pytest.mark.parametrize(
    ("parse", "values"),
    [
        pytest.param(fields.parse_record, ["0", "celery", "i", "ns", "n", None, None], id="record"),
        pytest.param(fields.parse_token, [""], id="heartbeat"),
        pytest.param(fields.parse_stop, ["Because"], id="stop"),
    ],
)
def test_malformed_fields_read_as_absent_and_are_logged_once(
    parse: Callable[..., object], values: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    key = f"job:{parse.__name__}"
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert fields.load(key, values, parse) is None
    heads = [record.getMessage().partition(" is malformed")[0] for record in caplog.records]
    assert heads == [f"the value of Redis key {key}"]


@pytest.mark.parametrize("values", [[], [None] * 6, None, "text", 7])
def test_an_absent_value_is_not_logged(values: object, caplog: pytest.LogCaptureFixture) -> None:
    assert fields.load("key", values, fields.parse_record) is None
    assert caplog.records == []


@pytest.mark.parametrize("outcome", ["Great", "", None])
def test_an_end_with_an_unknown_outcome_is_invalid(outcome: str | None) -> None:
    assert fields.load_end("key", [outcome, AT_MS, "{}"]) is None


def test_details_of_a_wrong_type_are_left_out() -> None:
    wrong = {
        "simulated": "yes",
        "message": {},
        "worker": 7,
        "inputs": {"images": -3, "bytes": "many"},
        "outputs": {"uri": 7, "bytes": 2**60, "files": ["x"]},
        "quality": {"a": 1, "b": [2], "c": 0.5},
    }
    outputs, quality = Outputs("", 0, (OutputFile("", 0),)), {"a": "1", "c": "0.5"}
    assert ended(wrong) == End(Outcome.SUCCEEDED, at=AT, inputs=Inputs(), outputs=outputs, quality=quality)


HOSTILE = "a\x1b[2J\x00b\u202ec\ud800\nd"  # a terminal's command, a turned direction, half a character, a second line
HARMLESS = "a\ufffd[2J\ufffdb\ufffdc\ufffd d"


def test_texts_lose_control_characters_and_unpaired_surrogates() -> None:
    end = ended(
        {
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
    claim = fields.parse_claim("t", HOSTILE, AT_MS, now=NOW)
    record = fields.parse_record("1", "celery", "i", "ns", HOSTILE, None, None)
    assert (claim and claim.owner, record and record.name) == (HARMLESS, HARMLESS)


@pytest.mark.parametrize(("seconds", "expected"), [(0, 1), (0.0001, 1), (1.5, 1_500)])
def test_a_ttl_is_at_least_a_millisecond(seconds: float, expected: int) -> None:
    assert fields.milliseconds(seconds) == expected
