"""Fields of the hashes in Redis, and the JSON that no script parses: none is trusted.

Which values count as present: tests/real/state/test_agreement.py.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from reconstruction_operator.api.attempt_status import Inputs, StepTime, Usage
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.api.status import MAX_QUALITY, OutputFile, Outputs
from reconstruction_operator.contract.attempt import Findings
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
    findings=Findings(
        inputs=Inputs(images=2, bytes=10),
        steps=(StepTime("Loading input files", 12), StepTime("Preprocessing images", 0)),
        usage=Usage(cpu_seconds=340, gpu_seconds=7, peak_memory_bytes=1 << 30, read_bytes=5, written_bytes=6),
        quality={"faces": "120"},
        warning="11 of 16 photos were aligned",
        resumed_from="matches of attempt 1",
    ),
    outputs=Outputs("file:///x", 5, (OutputFile("model.glb", 5),)),
    files_left=True,
)


def job(**texts: str | None) -> fields.JobHash:
    """A job's hash with these fields."""
    return dict.fromkeys(fields.JOB_FIELDS) | texts


def ended(details: object, outcome: str = "Succeeded") -> End:
    """The end with these details."""
    text = details if isinstance(details, str) else json.dumps(details)
    end = fields.load_end("job:job", [outcome, AT_MS, text])
    assert end is not None
    return end


def test_a_record_and_a_stop_are_read() -> None:
    values = job(attempt="2", queue="celery", install_id="i", namespace="ns", name="n", sent_at=AT_MS, orders="3")
    assert fields.parse_record("job", values) == Record(
        AttemptRef(JobRef("ns", "n", "job", "i"), 2, "celery"), AT, orders=3
    )
    assert fields.parse_stop("Deadline") is StopReason.DEADLINE


@pytest.mark.parametrize("sent_at", [None, "", "x", "1e30", "253402300799000"])
def test_a_record_without_a_time_was_not_sent(sent_at: str | None) -> None:
    assert fields.parse_record("job", job(attempt="2", queue="celery", sent_at=sent_at)) == Record(
        AttemptRef(JobRef.bare("job"), 2, "celery")
    )


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
    assert fields.parse_claim(job(token=token, owner="w", claimed_at=at), NOW) == expected


def test_an_end_is_read_as_it_was_written_with_or_without_details() -> None:
    assert ended(fields.dump_details(FULL), "Failed") == replace(FULL, at=AT)
    assert fields.load_end("key", ["Succeeded", AT_MS, None]) == End(Outcome.SUCCEEDED, at=AT)


@pytest.mark.parametrize(("at", "expected"), [(LATER_MS, NOW), ("x", NOW), (AT_MS, AT)])
def test_an_end_is_not_in_the_future(at: str, expected: datetime) -> None:
    assert fields.parse_end(job(outcome="Failed", ended_at=at), "key", NOW) == End(Outcome.FAILED, at=expected)


@pytest.mark.parametrize(
    ("token", "ended_by", "worker"),
    [("t", "t", "w"), ("t", OPERATOR_TOKEN, ""), (OPERATOR_TOKEN, OPERATOR_TOKEN, ""), (None, None, "")],
)
def test_a_shortened_end_names_the_worker_that_recorded_it(
    token: str | None, ended_by: str | None, worker: str
) -> None:
    values = job(outcome="Failed", ended_at=AT_MS, token=token, owner="w", ended_by=ended_by)
    assert fields.parse_end(values, "key") == End(Outcome.FAILED, at=AT, worker=worker)


@pytest.mark.parametrize("steps", [7, "text", {"name": "x"}, [7, None, [], {}, {"name": 7}, {"name": ""}]], ids=str)
def test_invalid_steps_leave_the_other_details(steps: object) -> None:
    end = ended({"message": "It ended.", "findings": {"steps": steps, "usage": steps}})
    assert (end.message, end.findings.steps, end.findings.usage) == (
        "It ended.",
        (),
        None if steps != {"name": "x"} else Usage(),
    )


def test_an_end_is_cut_to_the_limits_of_a_status_on_both_ways() -> None:
    files = tuple(OutputFile(f"{index:09}" * 100, 1) for index in range(50))
    quality = {f"q{index}": "v" * 1_000 for index in range(50)}
    steps = tuple(StepTime("s" * 1_000, -1) for _ in range(50))
    big = End(
        Outcome.SUCCEEDED,
        message="m" * 5_000,
        outputs=Outputs("u" * 5_000, 1, files),
        findings=Findings(steps=steps, usage=Usage(-1, 2**60, -5, 2**60), quality=quality),
    )
    raw = {
        "message": "m" * 5_000,
        "outputs": {"uri": "u" * 5_000, "bytes": 1, "files": [{"name": file.name, "bytes": 1} for file in files]},
        "findings": {
            "quality": quality,
            "steps": [{"name": step.name, "seconds": step.seconds} for step in steps],
            "usage": {"cpuSeconds": -1, "peakMemoryBytes": 2**60},
        },
    }
    for end in (ended(fields.dump_details(big)), ended(raw)):
        assert len(end.message) == 1_024
        assert end.outputs is not None
        assert len(end.outputs.uri) == 2_048
        assert len(end.outputs.files) == 16
        assert len(end.outputs.files[0].name) == 256
        assert len(end.findings.steps) == 16
        assert end.findings.steps[0] == StepTime("s" * 256, 0)
        assert end.findings.usage == Usage()
        assert len(end.findings.quality) == MAX_QUALITY
        assert {len(value) for value in end.findings.quality.values()} == {256}


@pytest.mark.parametrize("attempt", ["0", "x", None])
def test_a_hash_without_an_attempt_reads_as_absent_and_is_logged_once(
    attempt: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    values = [{"attempt": attempt, "queue": "celery"}.get(name) for name in fields.JOB_FIELDS]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert fields.parse_record("job", fields.load_job(f"job:{attempt}", values)) is None
    heads = [record.getMessage().partition(" is malformed")[0] for record in caplog.records]
    assert heads == [f"the value of Redis key job:{attempt}"]


FORGOTTEN = ["1" if name == "gone" else None for name in fields.JOB_FIELDS]


@pytest.mark.parametrize("values", [[], [None] * len(fields.JOB_FIELDS), FORGOTTEN, None, "text", 7])
def test_an_absent_or_forgotten_job_is_not_logged(values: object, caplog: pytest.LogCaptureFixture) -> None:
    assert fields.load_job("key", values) == job(gone="1" if values is FORGOTTEN else None)
    assert caplog.records == []


def test_details_of_a_wrong_type_are_left_out() -> None:
    wrong = {
        "simulated": "yes",
        "message": {},
        "worker": 7,
        "findings": {"inputs": {"images": -3, "bytes": "many"}, "quality": {"a": 1, "b": [2], "c": 0.5}},
        "outputs": {"uri": 7, "bytes": 2**60, "files": ["x"]},
    }
    outputs, quality = Outputs("", 0, (OutputFile("", 0),)), {"a": "1", "c": "0.5"}
    assert ended(wrong) == End(
        Outcome.SUCCEEDED, at=AT, findings=Findings(inputs=Inputs(), quality=quality), outputs=outputs
    )


HOSTILE = "a\x1b[2J\x00b\u202ec\ud800\nd"  # a terminal's command, a turned direction, half a character, a second line
HARMLESS = "a\ufffd[2J\ufffdb\ufffdc\ufffd d"


def test_texts_lose_control_characters_and_unpaired_surrogates() -> None:
    end = ended(
        {
            "reason": HOSTILE,
            "message": HOSTILE,
            "worker": HOSTILE,
            "outputs": {"uri": HOSTILE, "files": [{"name": HOSTILE, "bytes": 1}]},
            "findings": {"quality": {HOSTILE: HOSTILE}, "warning": HOSTILE, "size": HOSTILE},
        }
    )
    assert (end.reason, end.message, end.worker) == (HARMLESS, HARMLESS, HARMLESS)
    assert end.outputs == Outputs(HARMLESS, 0, (OutputFile(HARMLESS, 1),))
    assert end.findings == Findings(quality={HARMLESS: HARMLESS}, warning=HARMLESS, size=HARMLESS)
    claim = fields.parse_claim(job(token="t", owner=HOSTILE), NOW)
    record = fields.parse_record("job", job(attempt="1", queue="celery", name=HOSTILE))
    assert (claim and claim.owner, record and record.attempt.job.name) == (HARMLESS, HARMLESS)


@pytest.mark.parametrize(("seconds", "expected"), [(0, 1), (0.0001, 1), (1.5, 1_500)])
def test_a_ttl_is_at_least_a_millisecond(seconds: float, expected: int) -> None:
    assert fields.milliseconds(seconds) == expected
