"""Legs: the next one is sent to its queue as the same attempt, and goes back if no worker begins it in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.status import Leg, Phase, Progress, Status
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.actions import Action, Dispatch, EndAttempt, PutRecord, ReturnLeg, TakeBack
from reconstruction_operator.planning.types import Observation

from tests.support.plans import BEGAN, NOW, RUNNING, SENT, TASK, TIMING, in_record, look, observed

GPU = Leg(1, "gpu", "depth")
QUEUES = {"depth": "gpu"}
SINCE = NOW - timedelta(seconds=5)
PATIENCE = timedelta(seconds=TIMING.stage_queue_patience_seconds)
BEFORE = replace(
    RUNNING, task_id=TASK.task_id, dispatch_time=SENT, progress=Progress(percent=40, step="Running", eta_seconds=9)
)
WAITING = replace(BEFORE, phase=Phase.QUEUED, leg=replace(GPU, since=SINCE))
ON_GPU = replace(TASK, queue="gpu")


def record(leg: Leg | None = GPU, *, sent: bool = False) -> Record:
    return Record(in_record(), SENT if sent else None, leg=leg, begun=True)


def test_the_end_of_a_leg_leaves_attempt_and_percentage_as_they_are() -> None:
    status = look(observed(record=record(), workers=1), BEFORE, stage_queues=QUEUES).status

    assert (status.phase, status.attempt, status.failures) == (Phase.QUEUED, 1, 0)
    assert status.leg == replace(GPU, since=NOW)
    assert status.progress is not None
    assert (status.progress.percent, status.progress.step) == (40, "")
    due = format_time(NOW + PATIENCE)
    assert status.message == f"Waiting in queue gpu for stage depth; at {due} the stage goes to queue celery"


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(BEFORE, observed(record=record()), (Dispatch(ON_GPU, leg=replace(GPU, since=NOW)),), id="ended"),
        pytest.param(BEFORE, observed(record=record(sent=True)), (), id="sent-already-but-not-stored"),
        pytest.param(WAITING, observed(record=record(sent=True)), (), id="sent-and-stored"),
        pytest.param(WAITING, observed(record=record(sent=True), missing=True), (), id="missing-for-a-moment"),
        pytest.param(
            WAITING, observed(record=record(), no_model="no worker has it"), (), id="no-worker-with-the-model"
        ),
        pytest.param(WAITING, observed(), (PutRecord(TASK, WAITING.leg),), id="redis-lost-the-record"),
    ],
)
def test_the_message_of_a_leg_is_sent_once_to_its_queue(
    status: Status, seen: Observation, actions: tuple[Action, ...]
) -> None:
    assert look(seen, status, admitted=True, stage_queues=QUEUES).actions == actions


def test_a_queue_that_the_spec_does_not_name_is_not_used() -> None:
    seen = observed(record=record(Leg(1, "other-tenants", "depth")))

    (sent,) = look(seen, BEFORE, admitted=True, stage_queues=QUEUES).actions

    assert isinstance(sent, Dispatch)
    assert (sent.task.queue, sent.leg and sent.leg.instead_of) == ("celery", "gpu")


@pytest.mark.parametrize("sent", [True, False], ids=["waiting", "held"])
def test_a_leg_goes_back_to_the_jobs_own_queue_when_the_patience_is_over(sent: bool) -> None:
    seen = observed(record=record(sent=sent))
    before = look(seen, WAITING, at=SINCE + PATIENCE - timedelta(seconds=1), stage_queues=QUEUES)

    after = look(seen, WAITING, at=SINCE + PATIENCE, stage_queues=QUEUES)

    assert before.wake_at == SINCE + PATIENCE
    assert WAITING.leg is not None
    following = replace(WAITING.leg, number=2, queue="celery")
    assert after.actions == (TakeBack(ON_GPU), ReturnLeg(TASK, 1, following))


def test_a_leg_that_went_back_says_so_and_waits_on_without_a_limit() -> None:
    seen = observed(record=record(Leg(2, "celery", "depth")), workers=1)

    plan = look(seen, WAITING, admitted=True, stage_queues=QUEUES)

    assert [(event.type, event.reason) for event in plan.events][1:] == [("Warning", "Moved")]
    assert "No worker of queue gpu was free in time: stage depth" in plan.events[1].message
    assert plan.status.message == "Waiting in queue celery for stage depth: no worker of queue gpu was free in time"
    assert plan.wake_at is None


def test_the_status_shows_the_worker_of_the_current_leg() -> None:
    claim = Claim("token-2", "gpu-1", by_operator=False, at=BEGAN)
    seen = observed(record=record(sent=True), claim=claim, alive=True, workers=1)

    plan = look(seen, WAITING, stage_queues=QUEUES)

    assert (plan.status.phase, plan.status.worker, plan.status.leg) == (Phase.RUNNING, "gpu-1", WAITING.leg)
    assert [event.message for event in plan.events][1:] == ["Worker gpu-1 has begun attempt 1"]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param({"cancel_requested": True, "cancel_confirmed": True}, "CANCELLED", id="cancel"),
        pytest.param({"suspend": True}, "SUSPENDED", id="suspend"),
        pytest.param({"active_deadline_seconds": 1}, "TIMEOUT", id="deadline"),
    ],
)
@pytest.mark.parametrize("status", [BEFORE, WAITING], ids=["not-stored", "stored"])
def test_an_attempt_between_legs_ends_without_a_worker(spec: dict[str, Any], reason: str, status: Status) -> None:
    actions = look(observed(record=record(sent=True)), status, stage_queues=QUEUES, **spec).actions

    assert [action.reason for action in actions if isinstance(action, EndAttempt)] == [reason]


@pytest.mark.parametrize(
    ("stored", "leg"),
    [
        pytest.param(replace(WAITING, phase=Phase.RUNNING, worker="gpu-1"), GPU, id="the-claim"),
        pytest.param(WAITING, None, id="the-leg"),
    ],
)
def test_what_redis_lost_of_a_leg_leads_to_another_attempt_on_the_jobs_own_queue(
    stored: Status, leg: Leg | None
) -> None:
    status = look(observed(record=record(leg, sent=True)), stored, stage_queues=QUEUES).status

    assert (status.attempt, status.leg, status.failures) == (2, None, 0)
