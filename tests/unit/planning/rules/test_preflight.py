"""Preflight: which jobs an unusable input ends, and what the status shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.preflight import Checked, Usability
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.actions import EndAttempt
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TASK, in_record, look, observed

MISSING = Checked(Usability.UNUSABLE, reason="INPUT_NOT_FOUND", message="there is no file:///photos/x on this worker")
USABLE = Checked(Usability.USABLE, message="12 photos, 34 MB.")
RECORD = Record(in_record(), NOW)
SEEN = observed(workers=1, checked=MISSING)
IN_QUEUE = observed(SEEN, record=RECORD)
CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW)
WAITING = Status(phase=Phase.PENDING)
QUEUED = Status(phase=Phase.QUEUED, attempt=1, dispatch_time=NOW)
END = (EndAttempt(TASK, Outcome.FAILED, MISSING.reason, MISSING.message),)


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(WAITING, SEEN, END, id="waits-in-the-API-server"),
        pytest.param(QUEUED, IN_QUEUE, END, id="waits-in-its-queue"),
        pytest.param(QUEUED, observed(IN_QUEUE, claim=CLAIM, alive=True), (), id="a-worker-was-faster"),
        pytest.param(replace(QUEUED, start_time=NOW), IN_QUEUE, (), id="had-begun-before"),
        pytest.param(QUEUED, observed(IN_QUEUE, epoch_age_seconds=1.0), (), id="redis-lost-data"),
        pytest.param(QUEUED, observed(IN_QUEUE, checked=USABLE), (), id="usable"),
    ],
)
def test_an_unusable_input_ends_only_an_attempt_that_no_worker_runs(
    status: Status, seen: Observation, actions: tuple[EndAttempt, ...]
) -> None:
    ends = tuple(action for action in look(seen, status).actions if isinstance(action, EndAttempt))
    assert ends == actions


def test_the_end_is_reported_with_reason_advice_and_condition() -> None:
    end = End(Outcome.FAILED, MISSING.reason, MISSING.message, at=NOW)
    by_operator = Claim("operator", "operator", by_operator=True, at=NOW)
    status = look(observed(IN_QUEUE, end=end, claim=by_operator), QUEUED).status
    assert status.phase is Phase.FAILED
    assert status.failure is not None
    assert status.failure.reason == "INPUT_NOT_FOUND"
    assert status.failure.message.startswith(MISSING.message)
    condition = status.condition(ConditionType.INPUT_CHECKED)
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("False", "Unusable", MISSING.message)


def test_a_confirmed_cancel_comes_first() -> None:
    plan = look(IN_QUEUE, QUEUED, cancel_requested=True, cancel_confirmed=True)
    assert END[0] not in plan.actions


def test_a_preflights_result_stays_in_the_status_and_causes_one_write() -> None:
    first = look(observed(SEEN, checked=USABLE), WAITING).status
    condition = first.condition(ConditionType.INPUT_CHECKED)
    assert condition is not None
    assert (condition.status, condition.message) == ("True", "12 photos, 34 MB.")
    assert look(observed(SEEN, checked=USABLE), first).status is first
    assert look(observed(SEEN, checked=None), first).status is first


@pytest.mark.parametrize("admitted", [False, True])
def test_a_job_whose_model_is_missing_is_not_dispatched(admitted: bool) -> None:
    plan = look(observed(workers=1, no_model="Waiting for a worker with model m"), admitted=admitted)
    assert (plan.actions, plan.wants_dispatch) == ((), False)
    assert plan.status.message == "Waiting for a worker with model m"
    dispatched = plan.status.condition(ConditionType.DISPATCHED)
    assert dispatched is not None
    assert (dispatched.reason, dispatched.message) == ("ModelUnserved", "Waiting for a worker with model m")


def test_the_deadline_of_a_job_whose_model_is_missing_holds() -> None:
    plan = look(observed(workers=1, no_model="Waiting"), queue_deadline_seconds=60)
    assert [action.reason for action in plan.actions if isinstance(action, EndAttempt)] == ["QUEUE_TIMEOUT"]
