"""Case: what the rules derive from a job, an observation and the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.api.status import Condition, Status
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.case import Case
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


def test_the_queue_of_the_record_counts_while_there_is_one() -> None:
    assert case(Observation(record=record(queue="old")), queue="new").queue == "old"
    assert case(queue="new", priority="low").queue == "new-low"


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
