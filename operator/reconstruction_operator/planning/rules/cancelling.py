"""The two-step cancel: the flags follow the spec while the job is not finished, and a confirmed one ends the attempt."""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.planning.actions import (
    Action,
    AssertCancelled,
    ForceEnd,
    RequestCancel,
    TakeClaim,
    WithdrawRequest,
)
from reconstruction_operator.planning.case import Case, Decision, Stage
from reconstruction_operator.planning.rules.running import regain, watch
from reconstruction_operator.planning.status.details import claimed, closing, with_attempt
from reconstruction_operator.planning.times import after
from reconstruction_operator.planning.types import Observation, Timing

_PROLONGED_AT_SHARE = 0.5  # of its time to live a flag may use up before it is set again


def flags(case: Case) -> tuple[tuple[Action, ...], datetime | None]:
    """What makes the flags follow the spec, and when they must be looked at again."""
    spec, seen = case.job.spec, case.seen
    if spec.cancel_confirmed:
        return kept(AssertCancelled(), seen, case.now, case.timing, is_set=seen.confirmed)
    if spec.cancel_requested:
        return kept(RequestCancel(), seen, case.now, case.timing, is_set=seen.requested)
    return ((WithdrawRequest(),) if seen.requested else ()), None


def decide(case: Case) -> Decision | None:
    """The cancel is confirmed: it is over when nothing runs any more, and it needs a worker only if one has begun."""
    if not case.job.spec.cancel_confirmed:
        return None
    if case.lost:
        end = ForceEnd(case.task, Outcome.CANCELLED, "CANCELLED", "Cancelled; the worker that had it is lost.")
        return Decision(Stage.CANCELLING, claimed(case), (end,), stopping=True)
    if case.worker:
        return Decision(Stage.CANCELLING, claimed(case), wake=(watch(case),), stopping=True)
    if case.forgotten and case.in_grace:
        actions, wake = regain(case)
        return Decision(Stage.CANCELLING, with_attempt(case), actions, (wake,))
    taken = TakeClaim(case.task, Outcome.CANCELLED, "CANCELLED", "Cancelled while no worker had it.")
    return Decision(Stage.CANCELLING, with_attempt(case), closing(case, taken))


def kept(
    action: Action, seen: Observation, now: datetime, timing: Timing, *, is_set: bool
) -> tuple[tuple[Action, ...], datetime]:
    """The action that sets a flag where it is not set, or will soon have expired; and when to look again."""
    used_up = timing.cancel_ttl_seconds * _PROLONGED_AT_SHARE
    left = seen.flag_ttl_seconds if is_set else None
    if left is None or left <= used_up:
        return (action,), after(now, used_up)
    return (), after(now, left - used_up)
