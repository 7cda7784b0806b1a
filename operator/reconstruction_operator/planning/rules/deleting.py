"""Delayed deletion: while a foreign finalizer holds the object, the job's attempt is stopped, and no other starts."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning.actions import Action, ForceEnd, RequestStop, TakeClaim
from reconstruction_operator.planning.case import Case

_MESSAGE = "The job's object is being deleted."


def actions(case: Case) -> tuple[Action, ...]:
    """Return what ends the job's attempt."""
    if case.seen.end is not None or not case.touched:
        return ()
    if case.lost or case.seen.closed:
        return (ForceEnd(case.task, Outcome.STOPPED, "DELETED", _MESSAGE),)
    if case.worker:
        return () if case.seen.stop is not None else (RequestStop(case.task, StopReason.DELETED),)
    return (TakeClaim(case.task, Outcome.STOPPED, "DELETED", _MESSAGE),)
