"""Deadlines: activeDeadlineSeconds and queueDeadlineSeconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.status import Condition, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.actions import EndAttempt, RequestStop
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TASK, in_record, look, observed

START = NOW - timedelta(seconds=60)  # of the job's creation as well
RECORD = Record(in_record(), START)
CLAIM = Claim("token", "worker-1", by_operator=False, at=START)
HELD = observed(record=RECORD, claim=CLAIM, alive=True)
UNHEARD = observed(HELD, alive=False, heard=False, silent_seconds=10)
IN_QUEUE = observed(record=RECORD, workers=1)
RUNNING = Status(phase=Phase.RUNNING, attempt=1, worker="worker-1", start_time=START)
QUEUED = Status(phase=Phase.QUEUED, attempt=1, dispatch_time=START)
RETRY = Status(phase=Phase.PENDING, attempt=2, start_time=START, next_attempt_time=NOW + timedelta(seconds=99))
TOO_LONG = "The job took longer than its 60 s (activeDeadlineSeconds)."
NO_WORKER = "No worker began within 60 s (queueDeadlineSeconds)."


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(RUNNING, HELD, (RequestStop(TASK, StopReason.DEADLINE),), id="running"),
        pytest.param(
            RUNNING, observed(HELD, claim=replace(CLAIM, at=NOW)),
            (RequestStop(TASK, StopReason.DEADLINE),),
            id="running-its-second-attempt",
        ),
        pytest.param(QUEUED, HELD, (RequestStop(TASK, StopReason.DEADLINE),), id="running-but-not-stored"),
        pytest.param(RUNNING, observed(HELD, stop=StopReason.DEADLINE), (), id="stopping"),
        pytest.param(RETRY, observed(record=RECORD),
            (EndAttempt(replace(TASK, number=2), Outcome.FAILED, "TIMEOUT", TOO_LONG),), id="between-two-attempts"),
        pytest.param(RUNNING, observed(HELD, alive=False, silent_seconds=10),
            (EndAttempt(TASK, Outcome.FAILED, "TIMEOUT", "Worker worker-1 has sent no heartbeat for 10 s.",
                is_lost=True),),
            id="its-worker-is-lost"),
        pytest.param(RUNNING, UNHEARD,
            (EndAttempt(TASK, Outcome.STOPPED, "REDIS_LOST", "Redis lost the end of this attempt of worker worker-1.",
                is_lost=True),), id="redis-lost-its-end"),
        pytest.param(QUEUED, IN_QUEUE, (), id="not-started"),
        pytest.param(Status(), observed(), (), id="not-dispatched"),
    ],
)  # fmt: skip
def test_a_job_that_takes_too_long_is_stopped(status: Status, seen: Observation, actions: tuple[object, ...]) -> None:
    assert look(seen, status, active_deadline_seconds=60).actions == actions


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(Status(), observed(), (EndAttempt(TASK, Outcome.FAILED, "QUEUE_TIMEOUT", NO_WORKER),),
            id="not-dispatched"),
        pytest.param(QUEUED, IN_QUEUE, (EndAttempt(TASK, Outcome.FAILED, "QUEUE_TIMEOUT", NO_WORKER),),
            id="in-the-queue"),
        pytest.param(QUEUED, HELD, (), id="a-worker-has-just-begun"),
        pytest.param(RUNNING, HELD, (), id="running"),
        pytest.param(RETRY, observed(record=RECORD), (), id="it-had-started-once"),
    ],
)  # fmt: skip
def test_a_job_that_waits_too_long_ends_without_a_worker(
    status: Status, seen: Observation, actions: tuple[object, ...]
) -> None:
    assert look(seen, status, queue_deadline_seconds=60).actions == actions


def was(status: str, reason: str) -> Status:
    return Status(conditions=(Condition("Suspended", status, reason, "", NOW - timedelta(seconds=20)),))


@pytest.mark.parametrize(
    ("status", "seen", "spec"),
    [
        pytest.param(RUNNING, HELD, {"active_deadline_seconds": 65}, id="active"),
        pytest.param(QUEUED, IN_QUEUE, {"queue_deadline_seconds": 65}, id="queue"),
        pytest.param(was("False", "NotSuspended"), observed(), {"queue_deadline_seconds": 65}, id="never-suspended"),
        pytest.param(was("False", "Resumed"), observed(), {"queue_deadline_seconds": 25}, id="resumed-before"),
        pytest.param(was("True", "Suspended"), observed(), {"queue_deadline_seconds": 5}, id="resumed-now"),
    ],
)
def test_a_job_is_planned_again_at_its_deadline(status: Status, seen: Observation, spec: dict[str, int]) -> None:
    assert look(seen, status, **spec).wake_at == NOW + timedelta(seconds=5)


def test_a_suspended_job_has_no_deadline() -> None:
    spec = {"active_deadline_seconds": 1, "queue_deadline_seconds": 1, "suspend": True}

    plan = look(observed(), Status(phase=Phase.SUSPENDED, attempt=1), **spec)

    assert (plan.status.phase, plan.actions, plan.wake_at) == (Phase.SUSPENDED, (), None)
