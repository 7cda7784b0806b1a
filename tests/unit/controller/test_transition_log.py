"""Transition log: the lines for the steps of a job, and the fields of each."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, ProgressReport, Record
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.controller import transition_log
from reconstruction_operator.planning.types import Observation, Queue

from tests.support.plans import NOW, job_with, look

RECORD = Record("install", "team", "banana", 1, "celery", NOW)
NEW = Observation(queue=Queue(workers=1))
LISTENED = Observation(record=RECORD, queue=Queue(workers=1))
HELD = replace(LISTENED, claim=Claim("token", "worker-1", by_operator=False, at=NOW), alive=True)
STEP = STEPS[2]
AT_A_STEP = replace(HELD, progress=ProgressReport(STEP.percent, STEP.name, STEP.index, 0.5, NOW, NOW))


def ended(outcome: Outcome, reason: str = "") -> Observation:
    return replace(HELD, alive=False, end=End(outcome, reason, "It ended.", NOW, "worker-1"))


def logged(caplog: pytest.LogCaptureFixture, *looks: tuple[Observation, dict[str, Any]]) -> list[str]:
    """The lines of that history: reason, attempt and text."""
    caplog.set_level(logging.INFO)
    status = Status()
    for seen, spec in looks:
        made = look(seen, status, admitted=seen is not NEW, **spec)
        transition_log.log(job_with(status), made.status, made.events)
        status = made.status
    records = [vars(one) for one in caplog.records]
    assert {(one["namespace"], one["job"], one["uid"]) for one in records} <= {("team", "banana", "uid")}
    assert {one["levelname"] for one in records} <= {"INFO"}
    return [f"{one['reason']} {one['attempt']} {one['phase']}: {one['message']}" for one in records]


def test_each_step_of_a_life_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    lines = logged(caplog, (NEW, {}), (LISTENED, {}), (HELD, {}), (AT_A_STEP, {}), (ended(Outcome.SUCCEEDED), {}))
    assert lines == [
        "Accepted 0 Pending: team/banana: The spec is accepted",
        "Dispatched 1 Queued: team/banana: Attempt 1 was sent to queue celery",
        "Started 1 Running: team/banana: Worker worker-1 has begun attempt 1",
        "Succeeded 1 Succeeded: team/banana: Succeeded",
    ]


def test_a_failure_names_its_reason_and_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    failed, next_one = logged(caplog, (LISTENED, {}), (ended(Outcome.FAILED, "BACKEND_CRASHED"), {}))[-2:]
    assert failed.startswith("AttemptFailed 2 Pending: team/banana: Attempt 1: BACKEND_CRASHED: It ended. ")
    assert next_one.startswith(
        "BackingOff 2 Pending: team/banana: Attempt 2 of at most 3 starts at 2026-03-01T12:00:10Z"
    )
    assert vars(caplog.records[-1])["failure"] == "BACKEND_CRASHED"


def test_a_suspension_of_a_running_job_is_logged_before_it_stops(caplog: pytest.LogCaptureFixture) -> None:
    lines = logged(caplog, (LISTENED, {}), (HELD, {}), (HELD, {"suspend": True}))
    assert lines[-1].startswith("Suspending 1 Running: team/banana: ")


def test_a_job_whose_model_no_worker_has_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    missing = replace(NEW, no_model="Waiting for a worker with model m: those of queue celery have no model")
    lines = logged(caplog, (NEW, {}), (missing, {}))
    assert lines[-1].startswith("ModelUnserved 0 Pending: team/banana: Waiting for a worker with model m")


def test_progress_alone_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    begun = logged(caplog, (LISTENED, {}), (HELD, {}))
    caplog.clear()
    assert logged(caplog, (LISTENED, {}), (HELD, {}), (AT_A_STEP, {})) == begun


def test_text_of_a_tenant_stays_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    transition_log.log_step(JobKey("team", "banana", "uid"), "InvalidSpec", "bad\nteam/other: Succeeded")
    assert caplog.messages == ["team/banana: bad team/other: Succeeded"]


def test_failed_actions_are_one_line_for_each_cause(caplog: pytest.LogCaptureFixture) -> None:
    keys = [JobKey("team", f"job-{number}", str(number)) for number in range(13)]
    transition_log.log_refusals({keys[0]: "NOPERM"} | dict.fromkeys(keys[1:], "the broker was not reached"))

    named = ", ".join(f"team/job-{number}" for number in range(1, 11))
    assert caplog.messages == [
        "team/job-0: failed and will be retried: NOPERM",
        f"{named}, …: failed and will be retried: the broker was not reached",
    ]
    one, many = (vars(record) for record in caplog.records)
    assert (one["job"], one["uid"], one["jobs"], many["jobs"], "uid" in many) == ("job-0", "0", 1, 12, False)
