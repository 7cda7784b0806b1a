"""Dispatch: when an attempt's message is sent and resent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.actions import Dispatch, PutRecord
from reconstruction_operator.planning.types import Observation, Plan

from tests.support.plans import NOW, TASK, in_record, look, observed

FIRST = TASK
SECOND = replace(TASK, number=2)
QUEUED = Status(phase=Phase.QUEUED, attempt=1, task_id="uid-1", dispatch_time=NOW - timedelta(seconds=5))
RETRY = Status(phase=Phase.PENDING, attempt=2, task_id="uid-2", failures=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def record(attempt: int = 1, sent: datetime | None = None) -> Record:
    return Record(in_record(attempt), sent)


CLAIMED = observed(record=record(), claim=Claim("token", "worker-1", by_operator=False, at=ago(3000)), alive=True)


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(Status(), observed(), (PutRecord(TASK), Dispatch(FIRST)), id="a-new-job"),
        pytest.param(Status(), observed(record=record()), (Dispatch(FIRST),), id="the-record-exists"),
        pytest.param(Status(), observed(record=record(sent=ago(1))), (), id="sent-already-but-not-stored"),
        pytest.param(QUEUED, observed(record=record(sent=ago(5))), (), id="sent-and-stored"),
        pytest.param(RETRY, observed(record=record(1, ago(99))), (PutRecord(replace(TASK, number=2)), Dispatch(SECOND)),
            id="an-attempt-that-is-stored"),
        pytest.param(QUEUED, observed(missing=True), (PutRecord(TASK), Dispatch(FIRST, again=True)),
            id="redis-lost-it-long-ago"),
        pytest.param(QUEUED, observed(), (PutRecord(TASK),), id="redis-lost-the-record-alone"),
        pytest.param(QUEUED, observed(epoch_age_seconds=3, missing=True), (PutRecord(TASK),),
            id="redis-lost-all-just-now"),
        pytest.param(QUEUED, observed(epoch_age_seconds=3), (PutRecord(TASK),), id="redis-lost-it-just-now"),
        pytest.param(QUEUED, observed(record=record(), epoch_age_seconds=3), (),
            id="redis-lost-it-and-the-record-is-restored"),
        pytest.param(QUEUED, observed(record=record(sent=ago(14)), missing=True), (), id="missing-for-a-moment"),
        pytest.param(QUEUED, observed(record=record(sent=ago(15)), missing=True),
            (Dispatch(FIRST, again=True),), id="missing"),
        pytest.param(
            QUEUED, observed(record=Record(in_record(queue="old"), ago(15)), missing=True),
            (Dispatch(replace(FIRST, queue="old"), again=True),),
            id="missing-from-the-queue-before-an-edit",
        ),
        pytest.param(QUEUED, observed(record=record(sent=ago(-3600)), missing=True),
            (Dispatch(FIRST, again=True),), id="missing-since-before-the-clock-was-set-back"),
        pytest.param(QUEUED, observed(record=record(sent=ago(90_000)), workers=1), (), id="not-known-to-be-missing"),
        pytest.param(QUEUED, observed(record=record(sent=ago(9000)), workers=0), (), id="no-worker-so-it-waits-there"),
        pytest.param(QUEUED, CLAIMED, (), id="claimed"),
    ],
)  # fmt: skip
def test_when_an_unclaimed_attempt_is_sent_and_resent(
    status: Status, seen: Observation, actions: tuple[object, ...]
) -> None:
    assert look(seen, status, admitted=True).actions == actions


def test_a_missing_message_is_sent_again_only_when_it_is_admitted() -> None:
    plan = look(observed(record=record(sent=ago(15)), missing=True), QUEUED)

    assert (plan.status.phase, plan.actions, plan.wants_dispatch) == (Phase.QUEUED, (), True)


def test_a_message_that_is_missing_too_soon_is_checked_again_in_time() -> None:
    plan = look(observed(record=record(sent=ago(5)), missing=True), QUEUED, admitted=True)

    assert (plan.actions, plan.wants_dispatch, plan.wake_at) == ((), False, NOW + timedelta(seconds=10))


def test_a_job_that_is_not_admitted_stays_pending() -> None:
    plan = look(observed(workers=1))

    assert (plan.status.phase, plan.status.attempt, plan.actions) == (Phase.PENDING, 0, ())
    assert plan.wants_dispatch
    assert plan.status.message == "Waiting for room in queue celery"


def test_an_admitted_job_is_queued_with_task_id_and_time() -> None:
    status = look(observed(workers=1), admitted=True).status

    assert (status.phase, status.attempt, status.task_id, status.dispatch_time) == (Phase.QUEUED, 1, "uid-1", NOW)
    assert status.message == "Waiting in queue celery"


@pytest.mark.parametrize(("seconds", "phase"), [(-1, Phase.QUEUED), (0, Phase.QUEUED), (1, Phase.PENDING)])
def test_an_attempt_waits_for_its_time(seconds: int, phase: Phase) -> None:
    due = NOW + timedelta(seconds=seconds)

    plan = look(observed(record=record(1, ago(99))), replace(RETRY, next_attempt_time=due), admitted=True)

    assert plan.status.phase is phase
    assert plan.wake_at == (due if phase is Phase.PENDING else None)
    assert plan.status.next_attempt_time == (due if phase is Phase.PENDING else None)


def test_each_priority_has_its_own_queue() -> None:
    plan = look(observed(), admitted=True, queue="gpu", priority="high")

    assert plan.actions == (PutRecord(replace(FIRST, queue="gpu-high")), Dispatch(replace(FIRST, queue="gpu-high")))
    assert plan.status.message == "Waiting for a worker: no live worker listens to queue gpu-high"


def test_a_job_of_another_controller_is_ignored() -> None:
    assert look(observed(), managed_by="example.com/other", admitted=True) == Plan(Status())
