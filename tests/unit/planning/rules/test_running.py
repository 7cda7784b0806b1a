"""Running attempts, and attempts that Redis lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.attempt_status import Inputs, Progress, StepTime
from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, ProgressReport, Record
from reconstruction_operator.planning.actions import EndAttempt, PutRecord
from reconstruction_operator.planning.types import Observation

from tests.support.plans import MARK, NOW, TASK, in_record, look, observed

STARTED = NOW - timedelta(seconds=30)
RECORD = Record(in_record(), NOW - timedelta(seconds=40, milliseconds=300))
CLAIM = Claim("token", "worker-1", by_operator=False, at=STARTED + timedelta(milliseconds=700))
SEEN = observed(record=RECORD, claim=CLAIM, alive=True)
RUNNING = Status(
    phase=Phase.RUNNING,
    attempt=1,
    task_id="uid-1",
    worker="worker-1",
    dispatch_time=NOW - timedelta(seconds=41),
    start_time=STARTED,
)


def test_the_status_has_the_worker_and_its_start_in_whole_seconds() -> None:
    status = look(SEEN, Status(phase=Phase.QUEUED, attempt=1)).status

    expected = replace(RUNNING, message="Worker worker-1 has begun", installation=MARK)
    assert replace(status, conditions=(), observed_generation=-1) == expected


def test_a_progress_report_is_written_to_the_status() -> None:
    started = NOW - timedelta(seconds=20)
    inputs = Inputs(images=29, bytes=1000)
    findings = Findings(inputs)
    report = ProgressReport(33, "Running reconstruction", 3, 0.25, started, NOW, "depth map 4/12", "worker-1", findings)

    status = look(observed(SEEN, progress=report), RUNNING).status

    assert status.message == "Running reconstruction: depth map 4/12"
    assert status.inputs == inputs
    assert status.progress == Progress(33, "Running reconstruction", 3, 6, 60, "1m", "33%", NOW)


def test_durations_and_numbers_are_written_only_together_with_progress() -> None:
    steps, quality = (StepTime("Loading input files", 12),), {"registered": "20"}
    report = ProgressReport(
        33, "Running reconstruction", 3, 0.25, STARTED, NOW, findings=Findings(steps=steps, quality=quality)
    )
    status = look(observed(SEEN, progress=report), RUNNING).status
    assert (status.steps, status.quality) == (steps, quality)

    findings = Findings(steps=(StepTime("Loading input files", 13),), quality={"registered": "21"})
    later = replace(report, findings=findings)
    assert look(observed(SEEN, progress=later), status).status == status


def test_a_lost_worker_ends_its_attempt() -> None:
    plan = look(observed(SEEN, alive=False, silent_seconds=10), RUNNING)

    message = "Worker worker-1 has sent no heartbeat for 10 s."
    assert plan.actions == (EndAttempt(TASK, Outcome.FAILED, "WORKER_LOST", message, is_lost=True),)
    assert plan.status.phase is Phase.RUNNING  # the end that counts is seen next
    assert plan.status.message == "Worker worker-1 is lost: it stopped sending heartbeats"
    condition = plan.status.condition(ConditionType.RUNNING)
    assert condition is not None
    assert condition.reason == "Stopping"


UNHEARD = observed(SEEN, alive=False, heard=False, silent_seconds=11)
FORGOTTEN = EndAttempt(
    TASK, Outcome.STOPPED, "REDIS_LOST", "Redis lost the end of this attempt of worker worker-1.", is_lost=True
)


@pytest.mark.parametrize(
    ("seen", "actions"),
    [
        pytest.param(UNHEARD, (FORGOTTEN,), id="not-heard-since-redis-lost-data"),
        pytest.param(observed(UNHEARD, silent_seconds=9), (), id="it-may-still-be-heard"),
    ],
)
def test_silence_is_not_a_workers_failure_if_redis_has_older_data(
    seen: Observation, actions: tuple[EndAttempt, ...]
) -> None:
    plan = look(seen, RUNNING, backoff_limit=0)

    assert plan.actions == actions
    assert (plan.status.phase, plan.status.failures) == (Phase.RUNNING, 0)


@pytest.mark.parametrize(("alive", "silent", "seconds"), [(True, 0.0, 10), (False, 4.0, 6), (False, 9.9, 1)])
def test_the_heartbeat_is_checked_when_the_worker_could_be_lost(alive: bool, silent: float, seconds: int) -> None:
    plan = look(observed(SEEN, alive=alive, silent_seconds=silent), RUNNING)

    assert plan.wake_at == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(("record", "actions"), [(None, (PutRecord(TASK),)), (RECORD, ())], ids=["lost", "there"])
def test_a_live_worker_may_register_again_after_a_loss_of_data(
    record: Record | None, actions: tuple[PutRecord, ...]
) -> None:
    plan = look(observed(record=record, epoch_age_seconds=5), RUNNING)

    assert plan.actions == actions
    assert (plan.status.phase, plan.status.attempt) == (Phase.RUNNING, 1)
    assert plan.status.message == "Redis lost data: waiting for worker worker-1 to register again"
    condition = plan.status.condition(ConditionType.RUNNING)
    assert condition is not None
    assert (condition.status, condition.reason) == ("Unknown", "AwaitingWorker")
    assert plan.wake_at == NOW + timedelta(seconds=11)


def test_another_attempt_follows_if_no_worker_registers_again() -> None:
    plan = look(observed(record=replace(RECORD, sent_at=None), epoch_age_seconds=16), RUNNING, admitted=True)

    assert (plan.status.phase, plan.status.attempt, plan.status.failures) == (Phase.PENDING, 2, 0)
    assert plan.actions == ()  # the next attempt is sent when it is stored
    assert plan.status.next_attempt_time is None
    assert [event.type for event in plan.events if event.reason == "RedisLost"] == ["Warning"]


def test_a_requested_stop_is_final_although_its_cause_has_ended() -> None:
    plan = look(observed(SEEN, stop=StopReason.SUSPEND), RUNNING)

    assert plan.actions == ()
    assert (plan.status.message, plan.status.phase_detail) == ("Stopping: the job was suspended", "")


def test_a_lost_record_of_a_running_job_is_restored() -> None:
    assert look(observed(SEEN, record=None), RUNNING).actions == (PutRecord(TASK),)
