"""Transition log: what holds a job back, failures, and the fields of each line. Its whole life: tests/real/operator."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.controller import transition_log
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, in_record, job_with, look, observed

RECORD = Record(in_record(), NOW)
NEW = observed(workers=1)
LISTENED = observed(record=RECORD, workers=1)
HELD = observed(LISTENED, claim=Claim("token", "worker-1", by_operator=False, at=NOW), alive=True)


def ended(outcome: Outcome, reason: str = "") -> Observation:
    return observed(HELD, alive=False, end=End(outcome, reason, "It ended.", NOW, "worker-1"))


def logged(caplog: pytest.LogCaptureFixture, *looks: tuple[Observation, dict[str, Any]]) -> list[str]:
    """The lines of that history: reason, attempt and text."""
    caplog.set_level(logging.INFO)
    status = Status()
    for seen, spec in looks:
        plan = look(seen, status, admitted=seen is not NEW, **spec)
        transition_log.log(job_with(status), plan.status, plan.events)
        status = plan.status
    records = [vars(record) for record in caplog.records]
    assert {(record["namespace"], record["job"], record["uid"]) for record in records} <= {("team", "banana", "uid")}
    assert {record["levelname"] for record in records} <= {"INFO"}
    return ["{reason} {attempt} {phase}: {message}".format(**record) for record in records]


def test_a_failure_names_its_reason_and_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    failed, next_one = logged(caplog, (LISTENED, {}), (ended(Outcome.FAILED, "BACKEND_CRASHED"), {}))[-2:]
    assert failed.startswith("AttemptFailed 2 Pending: team/banana: Attempt 1: BACKEND_CRASHED: It ended. ")
    assert next_one.startswith(
        "BackingOff 2 Pending: team/banana: Attempt 2 of at most 3 starts at 2026-03-01T12:00:10Z"
    )
    assert vars(caplog.records[-1])["failure"] == "BACKEND_CRASHED"


@pytest.mark.parametrize(
    ("looks", "line"),
    [
        pytest.param(
            [(LISTENED, {}), (HELD, {}), (HELD, {"suspend": True})],
            "Suspending 1 Running: team/banana: ",
            id="before it stops",
        ),
        pytest.param(
            [(NEW, {}), (observed(NEW, no_model="Waiting for a worker with model m"), {})],
            "ModelUnserved 0 Pending: team/banana: Waiting for a worker with model m",
            id="no worker has its model",
        ),
    ],
)
def test_what_holds_a_job_back_is_logged(
    looks: list[tuple[Observation, dict[str, Any]]], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert logged(caplog, *looks)[-1].startswith(line)


def test_text_of_a_tenant_stays_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    transition_log.log_step(JobRef("team", "banana", "uid"), "InvalidSpec", "bad\nteam/other: Succeeded")
    assert caplog.messages == ["team/banana: bad team/other: Succeeded"]


def test_failed_actions_are_one_line_for_each_cause(caplog: pytest.LogCaptureFixture) -> None:
    keys = [JobRef("team", f"job-{number}", str(number)) for number in range(13)]
    transition_log.log_refusals({keys[0]: "NOPERM"} | dict.fromkeys(keys[1:], "the broker was not reached"))

    named = ", ".join(f"team/job-{number}" for number in range(1, 11))
    assert caplog.messages == [
        "team/job-0: failed and will be retried: NOPERM",
        f"{named}, …: failed and will be retried: the broker was not reached",
    ]
    single, many = (vars(record) for record in caplog.records)
    assert (single["job"], single["uid"], single["jobs"], many["jobs"], "uid" in many) == ("job-0", "0", 1, 12, False)
