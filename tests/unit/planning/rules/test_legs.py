"""Legs: the next one is sent to its queue as the same attempt, and goes back if no worker begins it in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.attempt_status import Leg, Progress, StepTime, Usage
from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.attempt import Findings, Legs
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, ProgressReport, Record
from reconstruction_operator.planning.actions import (
    Action,
    DeleteFiles,
    Dispatch,
    EndAttempt,
    PutRecord,
    ReturnLeg,
    TakeBack,
)
from reconstruction_operator.planning.types import Observation
from reconstruction_operator.readers import StageQueues

from tests.support.plans import (
    BEGAN,
    NOW,
    RUNNING,
    SENT,
    TASK,
    TIMING,
    in_record,
    job_with,
    look,
    observed,
    plan,
)

GPU = Leg(1, "gpu", "depth")
FOUND = Findings(steps=(StepTime("Running reconstruction", 30),), usage=Usage(cpu_seconds=50, peak_memory_bytes=9))
LEGS = Legs({"depth": "gpu"}, "celery", 1, "depth")
QUEUES = {"depth": "gpu"}
SINCE = NOW - timedelta(seconds=5)
PATIENCE = timedelta(seconds=TIMING.stage_queue_patience_seconds)
BEFORE = replace(
    RUNNING, task_id=TASK.task_id, dispatch_time=SENT, progress=Progress(percent=40, step="Running", eta_seconds=9)
)
WAITING = replace(BEFORE, phase=Phase.QUEUED, worker=None, leg=replace(GPU, since=SINCE))
ON_GPU = replace(TASK, queue="gpu")


def record(leg: Leg | None = GPU, *, sent: bool = False, found: Findings | None = None) -> Record:
    return Record(in_record(), SENT if sent else None, leg=leg, begun=True, found=found)


def test_the_end_of_a_leg_leaves_attempt_and_percentage_as_they_are() -> None:
    status = look(observed(record=record(), workers=1), BEFORE, stage_queues=QUEUES).status

    assert (status.phase, status.attempt, status.failures) == (Phase.QUEUED, 1, 0)
    assert status.leg == replace(GPU, since=NOW)
    assert status.progress is not None
    assert (status.progress.percent, status.progress.step) == (40, "")
    due = format_time(NOW + PATIENCE)
    text = "Waiting for a worker of queue gpu to make stage depth"
    assert status.message == f"{text}; at {due} the stage goes to queue celery"
    assert (status.worker, status.reason) == (None, "queue gpu")


def test_the_last_report_of_a_leg_counts_even_if_it_arrives_after_the_end() -> None:
    late = ProgressReport(56.0, "Running reconstruction", 3, 0.5, BEGAN, NOW)
    first = look(observed(record=record(), workers=1), BEFORE, stage_queues=QUEUES).status
    seen = observed(record=record(), workers=1, progress=late)

    then = look(seen, first, stage_queues=QUEUES).status

    assert then.progress is not None
    assert (then.progress.percent, then.progress.step, then.progress.eta_seconds) == (56, "", None)
    assert look(seen, then, at=NOW + timedelta(seconds=9), stage_queues=QUEUES).status.progress == then.progress


def test_steps_and_usage_of_the_legs_before_are_in_the_status_and_in_the_next_message() -> None:
    planned = look(observed(record=record(found=FOUND), workers=1), BEFORE, admitted=True, stage_queues=QUEUES)

    again = look(observed(record=record(), missing=True), planned.status, admitted=True, stage_queues=QUEUES)

    assert (planned.status.steps, planned.status.usage) == (FOUND.steps, FOUND.usage)
    sent = [action.legs for action in (*planned.actions, *again.actions) if isinstance(action, Dispatch)]
    assert sent == [replace(LEGS, before=FOUND)] * 2


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(BEFORE, observed(record=record()), (Dispatch(ON_GPU, legs=LEGS),), id="ended"),
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
    assert (sent.task.queue, sent.legs and sent.legs.number) == ("celery", 1)


@pytest.mark.parametrize(
    ("spec", "entries", "queues"),
    [
        pytest.param({}, (("celery", "depth", "gpu"), ("other", "views", "gpu")), {"depth": "gpu"}, id="of-its-pool"),
        pytest.param({"views": "big"}, (("celery", "depth", "gpu"),), {"views": "big"}, id="the-spec-names-some"),
        pytest.param({}, (("celery", "depth", "private"),), None, id="not-open-to-its-namespace"),
        pytest.param({}, (), None, id="none"),
    ],
)
def test_a_job_that_names_no_queues_of_stages_has_those_of_its_pool(
    spec: dict[str, str], entries: StageQueues, queues: dict[str, str] | None
) -> None:
    timing = replace(TIMING, pool_stage_queues=entries, pool_namespaces=(("private", "another-team"),))

    actions = plan(job_with(Status(), stage_queues=spec), observed(workers=1), NOW, timing, admitted=True).actions

    (legs,) = [action.legs for action in actions if isinstance(action, Dispatch)]
    assert legs == (None if queues is None else Legs(queues, "celery", of_pool=not spec))


def test_a_leg_may_go_to_a_queue_that_the_pool_names() -> None:
    timing = replace(TIMING, pool_stage_queues=(("celery", "depth", "gpu"),))

    actions = plan(job_with(BEFORE), observed(record=record()), NOW, timing, admitted=True).actions

    assert actions == (Dispatch(ON_GPU, legs=replace(LEGS, of_pool=True)),)


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

    planned = look(seen, WAITING, admitted=True, stage_queues=QUEUES)

    assert [(event.type, event.reason) for event in planned.events][1:] == [("Warning", "Moved")]
    assert "No worker of queue gpu was free in time: stage depth" in planned.events[1].message
    text = "Waiting for a worker of queue celery to make stage depth: no worker of queue gpu was free in time"
    assert planned.status.message == text
    assert planned.wake_at is None


def test_the_status_shows_the_worker_of_the_current_leg() -> None:
    claim = Claim("token-2", "gpu-1", by_operator=False, at=BEGAN)
    seen = observed(record=record(sent=True), claim=claim, alive=True, workers=1)

    planned = look(seen, WAITING, stage_queues=QUEUES)

    assert (planned.status.phase, planned.status.worker, planned.status.leg) == (Phase.RUNNING, "gpu-1", WAITING.leg)
    assert [event.message for event in planned.events][1:] == ["Worker gpu-1 has begun attempt 1"]
    unseen = look(seen, BEFORE, stage_queues=QUEUES)  # the wait was too short for a status
    assert [event.reason for event in unseen.events][-2:] == ["Moved", "Started"]


def test_files_of_a_job_that_times_out_between_legs_are_deleted() -> None:
    end = End(Outcome.FAILED, "TIMEOUT", "It took too long.", at=NOW)
    ended = look(observed(record=record(sent=True), end=end), WAITING, stage_queues=QUEUES).status

    actions = look(observed(record=record(sent=True), end=end, workers=1), ended, stage_queues=QUEUES).actions

    assert (ended.phase, ended.worker) == (Phase.FAILED, None)
    assert [action for action in actions if isinstance(action, DeleteFiles)]


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
