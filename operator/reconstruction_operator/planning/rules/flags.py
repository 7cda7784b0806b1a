"""Cancel flags in Redis: they follow the spec of an unfinished job, and are renewed before they expire."""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.planning.actions import Action, AssertCancelled, RequestCancel, WithdrawRequest
from reconstruction_operator.planning.case import Case
from reconstruction_operator.planning.times import after
from reconstruction_operator.planning.types import Timing

_RENEWED_AT_SHARE = 0.5  # of its time to live


def follow_spec(case: Case) -> tuple[tuple[Action, ...], datetime | None]:
    """Return what makes the flags match the spec, and when to check them again."""
    spec, seen = case.job.spec, case.seen
    if spec.cancel_confirmed:
        return keep(AssertCancelled(), seen, case.now, case.timing, is_set=seen.confirmed)
    if spec.cancel_requested:
        return keep(RequestCancel(), seen, case.now, case.timing, is_set=seen.requested)
    return ((WithdrawRequest(),) if seen.requested else ()), None


def keep(
    action: Action, seen: ObservedJob, now: datetime, timing: Timing, *, is_set: bool
) -> tuple[tuple[Action, ...], datetime]:
    """Return the action that sets a flag, if the flag is missing or will expire soon, and when to check it again."""
    used_up = timing.cancel_ttl_seconds * _RENEWED_AT_SHARE
    left = seen.flag_ttl_seconds if is_set else None
    if left is None or left <= used_up:
        return (action,), after(now, used_up)
    return (), after(now, left - used_up)
