"""Case: what the rules derive from a job, an observation and the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.api.status import Condition, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.case import Case, JobState
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TIMING, job_with


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def case(seen: Observation | None = None, status: Status | None = None, **spec: Any) -> Case:
    return Case(job_with(status or Status(), **spec), seen or Observation(), NOW, TIMING)


def record(attempt: int = 1, sent: datetime | None = None, queue: str = "celery") -> Record:
    return Record("install", "team", "banana", attempt, queue, sent)


def claim(**changes: Any) -> Claim:
    return replace(Claim("token", "worker-1", by_operator=False, at=ago(30)), **changes)


RUNS = Observation(claim=claim(), alive=True)
SUSPENDED = Status(phase=Phase.SUSPENDED, attempt=1)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Observation(), "", id="no claim"),
        pytest.param(RUNS, "worker-1", id="a claim"),
        pytest.param(Observation(claim=claim(owner="")), "a worker", id="a claim without a name"),
        pytest.param(Observation(claim=claim(by_operator=True)), "", id="the operator's claim"),
        pytest.param(Observation(claim=claim(), end=End(Outcome.FAILED)), "", id="an end"),
    ],
)
def test_the_worker_that_runs_the_attempt(seen: Observation, expected: str) -> None:
    assert case(seen).worker == expected


@pytest.mark.parametrize(
    ("status", "seen", "expected"),
    [
        pytest.param(Status(), Observation(), JobState.WAITING, id="new"),
        pytest.param(Status(), Observation(record=record()), JobState.WAITING, id="on record only"),
        pytest.param(Status(), Observation(record=record(sent=ago(1))), JobState.QUEUED, id="sent by the record"),
        pytest.param(Status(dispatch_time=ago(1)), Observation(), JobState.QUEUED, id="sent by the status"),
        pytest.param(
            Status(attempt=2), Observation(record=record(1, ago(9))), JobState.WAITING, id="an earlier attempt was sent"
        ),
        pytest.param(Status(next_attempt_time=ago(-1)), Observation(), JobState.BACKOFF, id="not due"),
        pytest.param(Status(next_attempt_time=ago(0)), Observation(), JobState.WAITING, id="due now"),
    ],
)
def test_the_state_of_an_attempt_that_no_worker_runs(status: Status, seen: Observation, expected: JobState) -> None:
    assert case(seen, status).idle_state is expected


@pytest.mark.parametrize(
    ("status", "seen", "touched", "record_lost", "claim_lost"),
    [
        pytest.param(Status(), Observation(), False, False, False, id="new"),
        pytest.param(Status(), Observation(record=record()), True, False, False, id="on record"),
        pytest.param(Status(), RUNS, True, False, False, id="claimed"),
        pytest.param(Status(attempt=1, dispatch_time=ago(9)), Observation(), True, True, False, id="lost its record"),
        pytest.param(Status(attempt=1, worker="w"), Observation(), True, True, True, id="lost record and claim"),
        pytest.param(Status(attempt=1, worker="w"), Observation(record=record()), True, False, True, id="lost claim"),
        pytest.param(
            Status(attempt=1, worker="w"),
            Observation(record=record(), end=End(Outcome.FAILED)),
            True,
            False,
            False,
            id="ended",
        ),
    ],
)
def test_what_redis_lost_of_a_job(
    status: Status, seen: Observation, touched: bool, record_lost: bool, claim_lost: bool
) -> None:
    its = case(seen, status)
    assert (its.touched, its.record_lost, its.claim_lost) == (touched, record_lost, claim_lost)


def test_the_queue_of_the_record_counts_while_there_is_one() -> None:
    assert case(Observation(record=record(queue="old")), queue="new").queue == "old"
    assert case(queue="new", priority="low").queue == "new-low"


@pytest.mark.parametrize(
    ("status", "seen", "expected"),
    [
        pytest.param(SUSPENDED, Observation(), True, id="suspended"),
        pytest.param(SUSPENDED, RUNS, False, id="a worker runs it"),
        pytest.param(SUSPENDED, Observation(claim=claim(ended=True)), True, id="a stale claim is no worker's"),
        pytest.param(Status(), Observation(), False, id="not suspended"),
    ],
)
def test_a_suspended_job_is_at_rest_without_a_worker(status: Status, seen: Observation, expected: bool) -> None:
    assert case(seen, status).at_rest is expected


@pytest.mark.parametrize(
    ("status", "seen", "spec", "expected"),
    [
        pytest.param(Status(start_time=ago(60)), Observation(), {}, None, id="no limit"),
        pytest.param(Status(), Observation(), {"active_deadline_seconds": 100}, None, id="not started"),
        pytest.param(
            Status(start_time=ago(60)), RUNS, {"active_deadline_seconds": 100}, ago(-40), id="from the first start"
        ),
        pytest.param(Status(), RUNS, {"active_deadline_seconds": 100}, ago(-70), id="from a claim that is not stored"),
    ],
)
def test_the_deadline_of_a_started_job(
    status: Status, seen: Observation, spec: dict[str, int], expected: datetime | None
) -> None:
    assert case(seen, status, **spec).active_deadline == expected


def conditioned(status: str, reason: str) -> Status:
    return Status(conditions=(Condition("Suspended", status, reason, "", last_transition_time=ago(20)),))


@pytest.mark.parametrize(
    ("status", "seen", "expected"),
    [
        pytest.param(Status(), Observation(), ago(-40), id="from the creation"),
        pytest.param(conditioned("False", "NotSuspended"), Observation(), ago(-40), id="never suspended"),
        pytest.param(conditioned("False", "Resumed"), Observation(), ago(-80), id="from the resume"),
        pytest.param(conditioned("True", "Suspended"), Observation(), ago(-100), id="from now: it is being resumed"),
        pytest.param(Status(start_time=ago(9)), Observation(), None, id="started once"),
        pytest.param(Status(), RUNS, None, id="a worker runs it"),
    ],
)
def test_the_deadline_of_a_waiting_job(status: Status, seen: Observation, expected: datetime | None) -> None:
    assert case(seen, status, queue_deadline_seconds=100).queue_deadline == expected


def test_the_final_states() -> None:
    assert {state for state in JobState if state.final} == {
        JobState.INVALID,
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    }
