"""Attempt steps that several rules share: end it unwanted or unclaimed, stop it, give up its
worker, recover its claim.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning.actions import Action, EndAttempt, PutRecord, RequestStop
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.status.details import claimed, updated, with_attempt
from reconstruction_operator.planning.status.progress import advance
from reconstruction_operator.planning.times import after
from reconstruction_operator.planning.types import Observation, Timing

_STOPPING = {
    StopReason.SUSPEND: "Stopping: the job was suspended",
    StopReason.DEADLINE: "Stopping: the job took longer than its activeDeadlineSeconds",
    StopReason.DELETED: "Stopping: the job's object was deleted",
    StopReason.SUPERSEDED: "Stopping: a newer attempt takes over",
}


def end_unwanted(end: EndAttempt, observed: Observation, timing: Timing, stop: StopReason) -> tuple[Action, ...]:
    """Return what ends an attempt of a job whose object is deleted, or that another installation manages."""
    if observed.redis.claim is None:
        return (end,)
    if observed.lost(timing):
        return (replace(end, is_lost=True),)
    return () if observed.redis.stop is not None else (RequestStop(end.task, stop),)


def end_unclaimed(
    case: Case, outcome: Outcome, reason: str, message: str, *, state: JobState | None = None, suspending: bool = False
) -> Decision:
    """End an attempt that no worker runs, so that none ever starts it. `state`: instead of the case's `idle_state`."""
    end = EndAttempt(case.task, outcome, reason, message)
    return Decision(state or case.idle_state, with_attempt(case), (end,), suspending=suspending)


def stop(case: Case, reason: StopReason) -> Decision:
    """Ask the worker to stop. The first reason is final for the attempt."""
    asked = () if case.seen.stop is not None else (RequestStop(case.task, reason),)
    moved = advance(case.stored, case.observed.progress, case.now, case.timing, show_text=False)
    return Decision(
        JobState.RUNNING,
        updated(claimed(case), progress=moved.progress),
        asked,
        (liveness_check(case),),
        stopping=True,
        suspending=case.job.spec.suspend,
        text=_STOPPING[case.seen.stop or reason],
    )


def give_up(case: Case, *, overdue: bool) -> Decision:
    """End an attempt whose worker is lost. The next plan observes that end, and decides what follows."""
    if case.seen.stale:
        why, text = f"Redis lost the end of this attempt of worker {case.worker}.", "Redis lost how the attempt ended"
        end = EndAttempt(case.task, Outcome.STOPPED, "REDIS_LOST", why, is_lost=True)
    else:
        why = f"Worker {case.worker} has sent no heartbeat for {case.timing.lost_after_seconds:g} s."
        text = f"Worker {case.worker} is lost: it stopped sending heartbeats"
        end = EndAttempt(case.task, Outcome.FAILED, "TIMEOUT" if overdue else "WORKER_LOST", why, is_lost=True)
    suspending = case.job.spec.suspend
    return Decision(JobState.RUNNING, claimed(case), (end,), stopping=True, suspending=suspending, text=text)


def liveness_check(case: Case) -> datetime:
    """Return when to check the worker's heartbeat: no event announces that it is missing."""
    silent = 0.0 if case.seen.alive else case.observed.silent_seconds
    return after(case.now, max(1.0, case.timing.lost_after_seconds - silent))


def await_registration(case: Case, state: JobState, *, suspending: bool = False) -> Decision:
    """Let a live worker register an attempt again after Redis lost it, until the grace period ends."""
    return Decision(state, with_attempt(case), put_record(case), (grace_end(case),), suspending=suspending)


def put_record(case: Case) -> tuple[Action, ...]:
    """Return what makes the record want the attempt and its leg; empty if it does."""
    record, leg = case.seen.record, case.stored.leg
    known = record.leg.number if record is not None and record.leg is not None else 0
    is_current = case.wanted > case.attempt or (case.wanted == case.attempt and (leg is None or known >= leg.number))
    return () if is_current else (PutRecord(case.task, leg),)


def grace_end(case: Case) -> datetime:
    """Return when the grace period after a loss of data ends."""
    left = case.timing.epoch_grace_seconds - case.observed.epoch_age_seconds
    return after(case.now, max(0.0, left) + 1.0)
