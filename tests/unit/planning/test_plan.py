"""Plan of every combination of claim, end, flags, stop, record, spec and status, including impossible ones."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, End, ProgressReport, Record
from reconstruction_operator.planning.actions import (
    ClearFlags,
    DeleteFiles,
    DeleteObject,
    Dispatch,
    EndAttempt,
)
from reconstruction_operator.planning.rules.orphans import plan_orphan
from reconstruction_operator.planning.types import Observation, Plan

from tests.support.plans import NOW, PERMANENT, TIMING, in_record, look, observed

SENT = NOW - timedelta(seconds=30)

CLAIMS: dict[str, dict[str, Any]] = {
    "unclaimed": {},
    "held": {"claim": Claim("token", "worker-1", False, SENT), "alive": True},
    "silent": {"claim": Claim("token", "worker-1", False, SENT), "silent_seconds": 60.0},
    "nameless": {"claim": Claim("", "", False, SENT), "alive": True},
    "taken": {"claim": Claim("operator", "operator", True, SENT)},
}
ENDS = [
    None,
    End(Outcome.SUCCEEDED, at=NOW, simulated=True),
    End(Outcome.CANCELLED, "CANCELLED"),
    End(Outcome.FAILED, "TOO_FEW_IMAGES", "2 photos", NOW, "worker-1"),
    End(Outcome.FAILED, "WORKER_LOST"),
    End(Outcome.STOPPED, "SUSPENDED", at=NOW),
    End(Outcome.STOPPED),
]
FLAGS: list[dict[str, Any]] = [
    {},
    {"requested": True, "flag_ttl_seconds": 3000.0},
    {"confirmed": True, "flag_ttl_seconds": 10.0},
]
STOPS = [None, StopReason.DEADLINE]
RECORDS = [
    None,
    Record(in_record()),
    Record(in_record(2), SENT),
    Record(in_record(9, "gpu"), NOW),
]
SPECS: list[dict[str, Any]] = [
    {},
    {"suspend": True},
    {"cancel_requested": True},
    {"cancel_requested": True, "cancel_confirmed": True, "suspend": True},
    {"active_deadline_seconds": 1, "queue_deadline_seconds": 1, "backoff_limit": 0},
]
EPOCHS = [1.0, 1e9]
REPORT = ProgressReport(55, "Running reconstruction", 3, 0.5, SENT, NOW, "depth map 4/12")
FAILURE = Failure("OUT_OF_MEMORY", "killed", retriable=True)
STATUSES = {
    "new": Status(),
    "pending": Status(phase=Phase.PENDING, attempt=2, failures=1, failure=FAILURE,
        next_attempt_time=NOW + timedelta(seconds=9)),
    "queued": Status(phase=Phase.QUEUED, attempt=1, dispatch_time=SENT),
    "running": Status(phase=Phase.RUNNING, attempt=2, worker="worker-1", start_time=SENT,
        progress=Progress(20, "Running reconstruction", 3)),
    "suspended": Status(phase=Phase.SUSPENDED, attempt=1),
    "cancelling": Status(phase=Phase.CANCELLING, attempt=1, worker="worker-1", start_time=SENT),
    "succeeded": Status(phase=Phase.SUCCEEDED, attempt=1, worker="worker-1", completion_time=SENT),
    "failed": Status(phase=Phase.FAILED, attempt=2, failure=FAILURE, completion_time=SENT),
    "cancelled": Status(phase=Phase.CANCELLED, attempt=2, completion_time=SENT),
}  # fmt: skip


@functools.cache
def observations() -> list[Observation]:
    parts = itertools.product(CLAIMS.values(), ENDS, FLAGS, STOPS, RECORDS, EPOCHS)
    return [
        observed(**claim, **flags, end=end, stop=stop, record=record, epoch_age_seconds=age, progress=REPORT, workers=1)
        for claim, end, flags, stop, record, age in parts
    ]


@pytest.mark.parametrize(
    "every",
    [
        pytest.param(31, id="sample"),  # each row of each table meets each of every other one
        pytest.param(1, id="all", marks=pytest.mark.release),
    ],
)
@pytest.mark.parametrize("spec", SPECS, ids=["plain", "suspend", "requested", "confirmed", "overdue"])
@pytest.mark.parametrize("stored", [pytest.param(status, id=name) for name, status in STATUSES.items()])
def test_every_combination_has_a_sane_plan(stored: Status, spec: dict[str, Any], every: int) -> None:
    for seen in observations()[::every]:
        plan = look(seen, stored, admitted=True, **spec)
        wrong = faults(stored, spec, seen, plan) + left_undone(
            seen, plan, look(seen, plan.status, admitted=True, **spec)
        )
        assert not wrong, f"{wrong}: {seen} -> {plan}"


def faults(stored: Status, spec: dict[str, Any], seen: Observation, plan: Plan) -> list[str]:
    status, kinds = plan.status, [type(action) for action in plan.actions]
    held = seen.redis.claim is not None and not seen.redis.claim.by_operator and seen.redis.end is None
    checks = {
        "the time to wake has passed": plan.wake_at is not None and plan.wake_at <= NOW,
        "an action is doubled": len(set(kinds)) != len(kinds),
        "the attempt decreased": status.attempt < stored.attempt,
        "a live worker's attempt is ended": held and seen.redis.alive and EndAttempt in kinds,
        "what a worker runs is sent again": (held or seen.redis.end is not None) and Dispatch in kinds,
        "a cancelled job is sent": bool(spec.get("cancel_confirmed")) and Dispatch in kinds,
        "a suspended job is sent": bool(spec.get("suspend")) and Dispatch in kinds,
    }
    if stored.phase is not None and stored.phase.finished:
        seen_again = replace(stored, observed_generation=1)  # the job's; nothing else may change after the end
        checks["a finished job is written"] = status != seen_again or bool(plan.events)
        checks["an object without a time to live is deleted"] = DeleteObject in kinds
    else:
        checks["a condition is missing"] = sorted(condition.type for condition in status.conditions) != sorted(
            PERMANENT
        )
        checks["files of an unfinished job are deleted"] = DeleteFiles in kinds or ClearFlags in kinds
        checks["cancelled while a worker runs it"] = status.phase is Phase.CANCELLED and held
        checks["the status has no message or phase"] = not status.message or status.phase is None
    return [what for what, wrong in checks.items() if wrong]


def left_undone(seen: Observation, plan: Plan, then: Plan) -> list[str]:
    """What would be missed of the plan that follows from the stored status, if nothing else made the job be planned
    again.
    """
    if plan.again:
        return []
    missed = [f"missed: {action}" for action in set(then.actions).difference(plan.actions)]
    # Where something was done, the next observation differs.
    if not plan.actions and then.wake_at is not None and (plan.wake_at is None or plan.wake_at > then.wake_at):
        missed.append(f"planned again at {plan.wake_at}, not at {then.wake_at}")
    if then.status != plan.status:
        missed.append("a status is missed")
    if then.events:
        missed.append("an event is repeated")
    return missed


def test_every_orphaned_record_has_a_sane_plan() -> None:
    for seen, record in itertools.product(observations(), RECORDS[1:]):
        assert record is not None
        actions = plan_orphan(record, observed(seen, record=record), NOW, TIMING)

        assert all(getattr(action, "task", None) in (None, record.attempt) for action in actions)
        assert seen.redis.end is None or EndAttempt not in {type(action) for action in actions}
