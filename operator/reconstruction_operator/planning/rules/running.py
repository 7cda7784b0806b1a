"""An attempt that a worker has: its progress, its silence, its stop; and an attempt that Redis has forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning.actions import Action, ForceEnd, PutRecord, RequestStop
from reconstruction_operator.planning.case import Case, Decision, Stage
from reconstruction_operator.planning.rules import restarting
from reconstruction_operator.planning.rules.deadlines import active_deadline
from reconstruction_operator.planning.status.details import claimed, resting_stage, with_attempt
from reconstruction_operator.planning.status.progress import advance
from reconstruction_operator.planning.times import after

_STOPPING = {
    StopReason.SUSPEND: "Stopping: the job was suspended",
    StopReason.DEADLINE: "Stopping: the job took longer than its activeDeadlineSeconds",
    StopReason.DELETED: "Stopping: the job's object was deleted",
    StopReason.SUPERSEDED: "Stopping: a newer attempt takes over",
}


def decide(case: Case) -> Decision | None:
    """A worker has the attempt."""
    if not case.worker:
        return None
    deadline = active_deadline(case)
    overdue = deadline is not None and deadline <= case.now
    if case.lost:
        return give_up(case, overdue=overdue)
    if case.seen.stop is not None or overdue:
        return stop(case, case.seen.stop or StopReason.DEADLINE)
    return _going_on(case, deadline)


def recover(case: Case) -> Decision | None:
    """Redis has forgotten an attempt that a worker had: a live worker may register again, else another attempt follows."""
    if not case.forgotten:
        return None
    if case.in_grace:
        actions, wake = regain(case)
        return Decision(Stage.RECOVERING, with_attempt(case), actions, (wake,))
    return restarting.another(case, case.stored, due=None, cause="REDIS_LOST")


def reopen(case: Case) -> Decision | None:
    """The operator ended the attempt, and how is forgotten: no worker will run it, so another attempt follows."""
    if not case.closed:
        return None
    end = ForceEnd(case.task, Outcome.STOPPED, "REDIS_LOST", "Redis forgot how the operator had ended this attempt.")
    return Decision(resting_stage(case), with_attempt(case), (end,))


def stop(case: Case, reason: StopReason) -> Decision:
    """Ask the worker to stop. The first reason is final for the attempt."""
    asked = () if case.seen.stop is not None else (RequestStop(case.task, reason),)
    text = _STOPPING[case.seen.stop or reason]
    return Decision(
        Stage.RUNNING,
        replace(
            claimed(case), progress=advance(case.stored, case.seen.progress, case.now, case.timing, told=False).progress
        ),
        asked,
        (watch(case),),
        stopping=True,
        suspending=case.job.spec.suspend,
        text=text,
    )


def give_up(case: Case, *, overdue: bool) -> Decision:
    """The worker is lost. The end that counts is observed next, and what follows from it is decided then."""
    silence = f"Worker {case.worker} gave no sign of life for {case.timing.lost_after_seconds:g} s."
    reason = "TIMEOUT" if overdue else "WORKER_LOST"
    return Decision(
        Stage.RUNNING,
        claimed(case),
        (ForceEnd(case.task, Outcome.FAILED, reason, silence),),
        stopping=True,
        suspending=case.job.spec.suspend,
        text=f"Worker {case.worker} is lost: it gave no sign of life",
    )


def watch(case: Case) -> datetime:
    """When to see whether the worker is still alive: silence sends no message."""
    silent = 0.0 if case.seen.alive else case.seen.silent_seconds
    return after(case.now, max(1.0, case.timing.lost_after_seconds - silent))


def regain(case: Case) -> tuple[tuple[Action, ...], datetime]:
    """What lets a live worker register again after Redis was emptied, and until when it may."""
    put = () if case.wanted >= case.attempt else (PutRecord(case.attempt, case.job.queue),)
    left = case.timing.epoch_grace_seconds - case.seen.epoch_age_seconds
    return put, after(case.now, max(0.0, left) + 1.0)


def _going_on(case: Case, deadline: datetime | None) -> Decision:
    moved = advance(case.stored, case.seen.progress, case.now, case.timing)
    status = replace(claimed(case), progress=moved.progress)
    return Decision(Stage.RUNNING, status, wake=(watch(case), deadline, moved.wake_at), text=moved.text)
