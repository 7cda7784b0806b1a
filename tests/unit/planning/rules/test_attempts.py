"""Steps on the current attempt: when it is stopped, given up, and checked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.actions import Action, ForceEnd, PutRecord, RequestStop, TakeClaim
from reconstruction_operator.planning.case import Case, JobState
from reconstruction_operator.planning.rules import attempts
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TASK, TIMING, job_with

CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(minutes=1))
RUNS = Observation(claim=CLAIM, alive=True)
SILENT = Observation(claim=CLAIM, silent_seconds=12.0)
STALE = Observation(claim=replace(CLAIM, ended=True))
END = TakeClaim(TASK, Outcome.CANCELLED, "CANCELLED", "Cancelled before a worker had it.")


def case(seen: Observation, **spec: Any) -> Case:
    return Case(job_with(Status(attempt=1), **spec), seen, NOW, TIMING)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Observation(), END, id="no claim"),
        pytest.param(
            Observation(claim=replace(CLAIM, by_operator=True)),
            ForceEnd(TASK, END.outcome, END.reason, END.message),
            id="the operator has claimed it and its end is lost",
        ),
    ],
)
def test_an_attempt_without_a_worker_ends_by_its_claim(seen: Observation, expected: Action) -> None:
    assert attempts.end_unclaimed(case(seen), END) == (expected,)


@pytest.mark.parametrize("reason", StopReason)
def test_every_reason_of_a_stop_has_a_text_and_is_requested_once(reason: StopReason) -> None:
    first = attempts.stop(case(RUNS), reason)
    again = attempts.stop(case(replace(RUNS, stop=reason)), StopReason.DELETED)

    assert first.actions == (RequestStop(TASK, reason),)
    assert again.actions == ()
    assert first.text == again.text
    assert first.text is not None
    assert first.text.startswith("Stopping: ")
    assert (first.state, first.stopping, first.status.worker) == (JobState.RUNNING, True, "worker-1")


@pytest.mark.parametrize("suspend", [True, False])
def test_a_stop_shows_whether_the_job_is_being_suspended(suspend: bool) -> None:
    its = case(RUNS, suspend=suspend)

    assert attempts.stop(its, StopReason.SUSPEND).suspending is suspend
    assert attempts.give_up(its, overdue=False).suspending is suspend


@pytest.mark.parametrize(
    ("seen", "overdue", "outcome", "reason"),
    [
        pytest.param(SILENT, False, Outcome.FAILED, "WORKER_LOST", id="silent"),
        pytest.param(SILENT, True, Outcome.FAILED, "TIMEOUT", id="silent beyond the deadline"),
        pytest.param(STALE, False, Outcome.STOPPED, "REDIS_LOST", id="redis lost its end"),
        pytest.param(STALE, True, Outcome.STOPPED, "REDIS_LOST", id="redis lost its end beyond the deadline"),
        pytest.param(replace(SILENT, heard=False), False, Outcome.STOPPED, "REDIS_LOST", id="not heard since"),
    ],
)
def test_an_attempt_is_given_up_for_what_was_lost(
    seen: Observation, overdue: bool, outcome: Outcome, reason: str
) -> None:
    decision = attempts.give_up(case(seen), overdue=overdue)
    (action,) = decision.actions

    assert isinstance(action, ForceEnd)
    assert (action.task, action.outcome, action.reason) == (TASK, outcome, reason)
    assert "worker-1" in action.message.replace("Worker", "worker")
    assert decision.stopping


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(None, (PutRecord(1, "gpu"),), id="lost"),
        pytest.param(Record("install", "team", "banana", 1, "gpu"), (), id="there"),
        pytest.param(Record("install", "team", "banana", 2, "gpu"), (), id="of a newer attempt"),
    ],
)
def test_a_live_worker_can_register_once_the_record_is_restored(
    record: Record | None, expected: tuple[Action, ...]
) -> None:
    seen = Observation(record=record, epoch_age_seconds=5.0)

    assert attempts.await_registration(case(seen, queue="gpu")) == (expected, NOW + timedelta(seconds=11))


def test_a_grace_period_that_has_passed_ends_within_a_second() -> None:
    assert attempts.grace_end(case(Observation())) == NOW + timedelta(seconds=1)
