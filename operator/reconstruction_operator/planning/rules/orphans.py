"""A record whose object is gone: what runs is stopped, the files are deleted, and then everything is forgotten."""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.actions import (
    Action,
    AssertCancelled,
    ClearFlags,
    DeleteFiles,
    ForceEnd,
    Forget,
    RequestStop,
    TakeClaim,
)
from reconstruction_operator.planning.rules.cancelling import kept
from reconstruction_operator.planning.rules.cleaning import order_is_due
from reconstruction_operator.planning.types import Observation, Timing

_MESSAGE = "The job's object was deleted."


def plan_orphan(job_id: str, record: Record, seen: Observation, now: datetime, timing: Timing) -> tuple[Action, ...]:
    """The next steps towards forgetting the job. `seen` is about the attempt that the record wants.

    Ask again until `Forget` has been carried out: each step shows in the next observation.
    """
    task = TaskId(job_id, record.attempt)
    if seen.end is None:
        return _stop(task, seen, timing)
    if seen.cleaned:
        return (Forget(record.attempt),)
    flags: tuple[Action, ...] = ()
    if seen.end.outcome is Outcome.SUCCEEDED:
        flags = (ClearFlags(),) if seen.requested or seen.confirmed else ()
    elif seen.confirmed:
        # Its last attempt may have ended otherwise; by the flag the worker knows that no copy of a result may stay.
        flags, _ = kept(AssertCancelled(), seen, now, timing, is_set=True)
    if order_is_due(record, seen.queue, seen.end.at or now, now, timing):
        return (*flags, DeleteFiles(record.queue))
    return flags


def _stop(task: TaskId, seen: Observation, timing: Timing) -> tuple[Action, ...]:
    if seen.claim is None:
        return (TakeClaim(task, Outcome.STOPPED, "DELETED", _MESSAGE),)
    silent = not seen.alive and seen.silent_seconds >= timing.lost_after_seconds
    if seen.claim.by_operator or (silent and seen.epoch_age_seconds > timing.epoch_grace_seconds):
        return (ForceEnd(task, Outcome.STOPPED, "DELETED", _MESSAGE),)
    return () if seen.stop is not None else (RequestStop(task, StopReason.DELETED),)
