"""The two-step cancel: flags follow the spec, and a confirmed cancel needs a worker only if one has begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.api.spec import Location
from reconstruction_operator.api.status import Cancel, ConditionType, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.actions import (
    AssertCancelled,
    ForceEnd,
    PutRecord,
    RequestCancel,
    TakeClaim,
    WithdrawRequest,
)
from reconstruction_operator.planning.types import Observation, Plan, Queue

Look = Callable[..., Plan]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TASK = TaskId("uid", 1)
RECORD = Record("install", "team", "banana", 1, "celery", NOW - timedelta(seconds=3))
CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(seconds=2))
QUEUED = Status(phase=Phase.QUEUED, attempt=1, dispatch_time=NOW - timedelta(seconds=3))
RUNNING = Status(phase=Phase.RUNNING, attempt=1, worker="worker-1", start_time=NOW - timedelta(seconds=2))
PUT = PutRecord(1, "celery")
TAKE = TakeClaim(TASK, Outcome.CANCELLED, "CANCELLED", "Cancelled while no worker had it.")
WAITING = Observation(record=RECORD, queue=Queue(workers=1, waiting=1))
HELD = Observation(record=RECORD, claim=CLAIM, alive=True, queue=Queue(workers=1))
REQUESTED = {"cancel_requested": True}
CONFIRMED = {"cancel_requested": True, "cancel_confirmed": True}


@pytest.mark.parametrize(
    ("spec", "flags", "ttl", "actions"),
    [
        pytest.param({}, (False, False), None, (), id="nothing"),
        pytest.param(REQUESTED, (False, False), None, (RequestCancel(),), id="requested"),
        pytest.param(REQUESTED, (True, False), 1801.0, (), id="requested-and-set"),
        pytest.param(REQUESTED, (True, False), 1800.0, (RequestCancel(),), id="requested-and-half-expired"),
        pytest.param({}, (True, False), 3000.0, (WithdrawRequest(),), id="withdrawn"),
        pytest.param(CONFIRMED, (True, False), 3000.0, (AssertCancelled(),), id="confirmed"),
        pytest.param(CONFIRMED, (False, True), 3000.0, (), id="confirmed-and-set"),
        pytest.param(CONFIRMED, (False, True), 1000.0, (AssertCancelled(),), id="confirmed-and-half-expired"),
        pytest.param({}, (False, True), 3000.0, (), id="confirmed-by-hand-in-redis"),
    ],
)
def test_the_flags_follow_the_spec(
    look: Look, spec: dict[str, bool], flags: tuple[bool, bool], ttl: float | None, actions: tuple[object, ...]
) -> None:
    requested, confirmed = flags
    seen = replace(HELD, requested=requested, confirmed=confirmed, flag_ttl_seconds=ttl)

    assert look(seen, RUNNING, **spec).actions == actions


@pytest.mark.parametrize(
    ("requested", "ttl", "seconds"), [(False, None, 1800), (True, 3600.0, 1800), (True, 1801.0, 1)]
)
def test_a_flag_is_looked_at_before_it_expires(look: Look, requested: bool, ttl: float | None, seconds: int) -> None:
    plan = look(Observation(requested=requested, flag_ttl_seconds=ttl), suspend=True, **REQUESTED)

    assert plan.wake_at == NOW + timedelta(seconds=seconds)


def test_a_request_alone_stops_nothing(look: Look) -> None:
    plan = look(Observation(), admitted=True, **REQUESTED)

    assert plan.status.phase is Phase.QUEUED
    assert plan.status.cancel == Cancel(requested_at=NOW)


def test_a_withdrawn_request_leaves_no_time_behind(look: Look) -> None:
    asked = replace(RUNNING, cancel=Cancel(requested_at=NOW))

    assert look(HELD, asked).status.cancel is None


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(Status(), Observation(), (TAKE,), id="never-dispatched"),
        pytest.param(QUEUED, WAITING, (TAKE,), id="in-the-queue"),
        pytest.param(QUEUED, Observation(), (TAKE, PUT), id="in-a-queue-that-redis-forgot"),
        pytest.param(RUNNING, HELD, (), id="a-worker-has-it-and-sees-the-flag"),
        pytest.param(RUNNING, replace(HELD, stop=StopReason.SUSPEND), (), id="a-worker-is-stopping-anyway"),
        pytest.param(RUNNING, replace(HELD, alive=False, silent_seconds=9), (), id="a-worker-is-silent"),
        pytest.param(RUNNING, replace(HELD, alive=False, silent_seconds=10), (ForceEnd(TASK, Outcome.CANCELLED, "CANCELLED", "Cancelled; the worker that had it is lost."),), id="a-worker-is-lost"),
        pytest.param(RUNNING, Observation(epoch_age_seconds=1), (PUT,), id="redis-just-forgot-who-has-it"),
        pytest.param(RUNNING, Observation(epoch_age_seconds=16), (TAKE, PUT), id="redis-forgot-who-had-it"),
        pytest.param(Status(phase=Phase.SUSPENDED, attempt=1), WAITING, (TAKE,), id="suspended"),
    ],
)  # fmt: skip
def test_a_confirmed_cancel_waits_for_a_worker_only_if_one_has_begun(
    look: Look, status: Status, seen: Observation, actions: tuple[object, ...]
) -> None:
    flagged = replace(seen, confirmed=True, flag_ttl_seconds=3000.0)

    plan = look(flagged, status, admitted=True, suspend=True, **CONFIRMED)

    assert plan.actions == actions
    assert plan.status.phase is Phase.CANCELLING
    assert not plan.wants_dispatch


def test_an_attempt_that_waits_for_its_time_is_cancelled_at_once(look: Look) -> None:
    waiting = Status(phase=Phase.PENDING, attempt=2, failures=1, next_attempt_time=NOW + timedelta(seconds=60))

    plan = look(Observation(record=RECORD), waiting, **CONFIRMED)

    assert plan.actions == (AssertCancelled(), replace(TAKE, task=TaskId("uid", 2)))


def test_a_spec_that_would_not_be_accepted_can_still_be_cancelled(look: Look) -> None:
    plan = look(Observation(), input=Location("s3://nowhere/a"), **CONFIRMED)

    assert plan.status.phase is Phase.CANCELLING


def test_running_is_true_until_the_worker_has_let_go(look: Look) -> None:
    status = look(HELD, RUNNING, **CONFIRMED).status
    running, cancelled = status.condition(ConditionType.RUNNING), status.condition(ConditionType.CANCELLED)

    assert running is not None
    assert cancelled is not None
    assert (running.status, running.reason) == ("True", "Stopping")
    assert (cancelled.status, cancelled.reason) == ("False", "Cancelling")
    assert status.message == "Cancelling: waiting for worker worker-1 to stop"
