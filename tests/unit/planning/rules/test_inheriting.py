"""Inheritance: a job of another installation gets another attempt if our Redis does not know it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.case import Case, JobState
from reconstruction_operator.planning.rules import inheriting
from reconstruction_operator.planning.types import Management, Observation

from tests.support.plans import NOW, TIMING, job_with

SENT = Status(attempt=2, dispatch_time=NOW, failures=1)
KNOWN = Observation(record=Record("install", "team", "banana", 2, "celery"))


def case(status: Status, seen: Observation, management: Management) -> Case:
    return Case(replace(job_with(status), management=management), seen, NOW, TIMING, admitted=False)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(SENT, id="dispatched"),
        pytest.param(replace(SENT, dispatch_time=None, worker="worker-1"), id="running"),
    ],
)
def test_an_inherited_job_that_was_sent_gets_another_attempt_at_once(status: Status) -> None:
    decision = inheriting.decide(case(status, Observation(), Management.INHERITED))

    assert decision is not None
    assert (decision.state, decision.cause, decision.actions) == (JobState.WAITING, "HANDED_OVER", ())
    assert decision.status == Status(attempt=3, task_id="uid-3", failures=1)


@pytest.mark.parametrize(
    ("status", "seen", "management"),
    [
        pytest.param(SENT, Observation(), Management.OURS, id="ours"),
        pytest.param(SENT, Observation(), Management.UNMARKED, id="without a mark"),
        pytest.param(SENT, KNOWN, Management.INHERITED, id="both share a Redis"),
        pytest.param(SENT, Observation(), Management.PASSED_ON, id="from shard to shard"),
        pytest.param(Status(attempt=1), Observation(), Management.INHERITED, id="it was never sent"),
    ],
)
def test_other_jobs_stay_as_they_are(status: Status, seen: Observation, management: Management) -> None:
    assert inheriting.decide(case(status, seen, management)) is None
