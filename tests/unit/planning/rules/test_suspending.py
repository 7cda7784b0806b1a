"""Suspend and resume."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.planning.actions import Dispatch, EndAttempt, PutRecord, RequestStop
from reconstruction_operator.planning.types import Observation

from tests.support import plans
from tests.support.plans import HELD, NOW, QUEUED, RECORD, TASK, in_record, look, observed

END = End(Outcome.STOPPED, "SUSPENDED", at=NOW)
RUNNING = replace(plans.RUNNING, progress=Progress(20, "Running reconstruction", 3, 6, 40, "40s", "20%", NOW))
SUSPENDED = Status(phase=Phase.SUSPENDED, attempt=1)
TAKE = EndAttempt(TASK, Outcome.STOPPED, "SUSPENDED", "Suspended while no worker ran it.")
UNHEARD = observed(HELD, alive=False, heard=False, silent_seconds=1)
LOST = EndAttempt(TASK, Outcome.FAILED, "WORKER_LOST", "Worker worker-1 has sent no heartbeat for 10 s.", is_lost=True)


@pytest.mark.parametrize(
    ("status", "seen", "phase", "actions"),
    [
        pytest.param(Status(), observed(), Phase.SUSPENDED, (), id="never-dispatched"),
        pytest.param(Status(), observed(record=RECORD), Phase.QUEUED, (TAKE,), id="dispatched-but-not-stored"),
        pytest.param(Status(phase=Phase.SUSPENDED), observed(record=RECORD), Phase.QUEUED, (TAKE,),
            id="resumed-but-not-stored"),
        pytest.param(QUEUED, observed(record=RECORD), Phase.QUEUED, (TAKE,), id="in-the-queue"),
        pytest.param(RUNNING, HELD, Phase.RUNNING, (RequestStop(TASK, StopReason.SUSPEND),), id="running"),
        pytest.param(RUNNING, observed(HELD, stop=StopReason.SUSPEND), Phase.RUNNING, (), id="stopping"),
        pytest.param(RUNNING, observed(HELD, alive=False, silent_seconds=11), Phase.RUNNING, (LOST,), id="lost"),
        pytest.param(RUNNING, observed(epoch_age_seconds=1), Phase.RUNNING, (PutRecord(TASK),),
            id="redis-lost-it-just-now"),
        pytest.param(RUNNING, observed(), Phase.QUEUED, (TAKE, PutRecord(TASK)), id="redis-lost-it"),
        pytest.param(RUNNING, observed(HELD, end=END), Phase.SUSPENDED, (), id="stopped"),
        pytest.param(SUSPENDED, observed(HELD, end=END), Phase.SUSPENDED, (), id="at-rest"),
        pytest.param(SUSPENDED, observed(), Phase.SUSPENDED, (), id="suspended-and-redis-lost-it"),
        pytest.param(SUSPENDED, HELD, Phase.RUNNING, (RequestStop(TASK, StopReason.SUSPEND),),
            id="something-runs-after-all"),
    ],
)  # fmt: skip
def test_a_suspended_job_is_stopped_in_each_state(
    status: Status, seen: Observation, phase: Phase, actions: tuple[object, ...]
) -> None:
    sent = replace(status, dispatch_time=NOW) if status is RUNNING else status

    plan = look(seen, sent, admitted=True, suspend=True)

    assert (plan.status.phase, plan.actions) == (phase, actions)
    assert plan.status.phase_detail == ("" if phase is Phase.SUSPENDED else f"{phase}, suspending")


def test_a_suspended_job_has_no_worker_no_start_and_no_estimate() -> None:
    status = look(observed(HELD, end=END), replace(RUNNING, next_attempt_time=NOW), suspend=True).status

    assert (status.worker, status.start_time, status.next_attempt_time, status.attempt) == (None, None, None, 1)
    assert status.progress == Progress(20, "", 3, 6, None, "", "20%", NOW)
    assert status.message == "Suspended: set spec.suspend to false to continue"


@pytest.mark.parametrize(
    "seen", [observed(HELD, end=END), observed(), UNHEARD], ids=["known", "lost", "redis-lost-its-end"]
)
def test_a_resumed_job_continues_with_the_next_attempt(seen: Observation) -> None:
    plan = look(seen, SUSPENDED, admitted=True)

    assert (plan.status.phase, plan.status.attempt, plan.status.failures) == (Phase.PENDING, 2, 0)
    assert plan.actions == ()


def test_a_newer_attempt_of_the_record_comes_before_a_resume() -> None:
    status = look(observed(record=replace(RECORD, attempt=in_record(3))), SUSPENDED).status

    assert (status.phase, status.attempt, status.dispatch_time) == (Phase.QUEUED, 3, RECORD.sent_at)
    unsent = look(observed(record=replace(RECORD, attempt=in_record(3), sent_at=None)), SUSPENDED).status
    assert (unsent.phase, unsent.attempt, unsent.dispatch_time) == (Phase.PENDING, 3, None)


def test_a_resumed_job_that_was_never_dispatched_gets_its_first_attempt() -> None:
    seen = observed(workers=1)
    status = look(seen, suspend=True).status

    plan = look(seen, status, admitted=True)

    assert plan.actions == (PutRecord(TASK), Dispatch(TASK))
    assert [event.reason for event in plan.events] == ["Resumed", "Dispatched"]
    lost = look(observed(seen, record=RECORD), status).status  # the leader died before the status showed the message
    assert (lost.phase, lost.attempt) == (Phase.QUEUED, 1)


def test_a_pending_retry_counts_once_when_it_is_suspended() -> None:
    end = End(Outcome.FAILED, "OUT_OF_MEMORY", at=NOW)
    status = look(observed(HELD, end=end), RUNNING, suspend=True).status
    assert (status.phase, status.attempt, status.failures) == (Phase.SUSPENDED, 1, 1)

    resumed = look(observed(HELD, end=end), status).status

    assert (resumed.attempt, resumed.failures) == (2, 1)


def test_a_suspended_job_stays_at_rest_although_redis_has_older_data() -> None:
    plan = look(UNHEARD, SUSPENDED, suspend=True, backoff_limit=0)

    assert (plan.status.phase, plan.status.failures, plan.actions) == (Phase.SUSPENDED, 0, ())
    running = plan.status.condition(ConditionType.RUNNING)
    assert running is not None
    assert (running.status, running.reason) == ("False", "Suspended")
