"""The plan: one pure function from a job and an observation to what is to be done and written.

The rules stand in the modules beside this one, one concern each. Their order is the decision table: an end is the truth,
a confirmed cancel beats suspend, retry and deadlines, and so on. Whatever they decide, phase, conditions, message and
Events are made here, in one way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.fitting import fit
from reconstruction_operator.api.status import Cancel, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning import validation
from reconstruction_operator.planning.actions import Action, ForceEnd, PutRecord, RequestStop, TakeClaim
from reconstruction_operator.planning.case import Case, Decision, Stage
from reconstruction_operator.planning.rules import (
    cancelling,
    deadlines,
    dispatching,
    ends,
    finished,
    restarting,
    running,
    suspending,
)
from reconstruction_operator.planning.rules.orphans import plan_orphan
from reconstruction_operator.planning.status.conditions import Facts, conditions
from reconstruction_operator.planning.status.events import events
from reconstruction_operator.planning.status.messages import sentence
from reconstruction_operator.planning.times import earliest, whole
from reconstruction_operator.planning.types import Job, Observation, Plan, Timing

__all__ = ["plan", "plan_orphan"]


def _validate(case: Case) -> Decision | None:
    """Asked before anything of the job has begun; afterwards the spec has been accepted, and its inputs cannot change."""
    if case.touched or case.job.spec.cancel_confirmed:
        return None
    problem = validation.problems(case.job.spec)
    return ends.rejected(case, problem.message) if problem else None


_RULES: tuple[Callable[[Case], Decision | None], ...] = (
    ends.decide,
    restarting.decide,
    _validate,
    cancelling.decide,
    suspending.decide,
    running.decide,
    running.reopen,
    running.recover,
    deadlines.decide,
)


def plan(job: Job, seen: Observation, now: datetime, timing: Timing, *, admitted: bool) -> Plan:
    """What follows from the job, as the API server has it, and from what was seen of its attempt (`job.task`).

    Carrying a plan out twice does no harm, and a plan made again from its own status and the same observation has the
    same status and no Events. `admitted`: `scheduling` lets a first message of the attempt be sent now.
    """
    case = Case(job, seen, now, timing, admitted)
    if not job.ours:
        return Plan(job.status)
    if job.status.phase is not None and job.status.phase.finished:
        return finished.plan(case)
    if job.deleting:
        return Plan(job.status, _withdrawn_from_workers(case))
    decision = next((made for rule in _RULES if (made := rule(case)) is not None), None) or dispatching.decide(case)
    flags, flags_due = ((), None) if decision.stage.final else cancelling.flags(case)
    actions = (*flags, *decision.actions)
    status = _status(case, decision)
    return Plan(
        status=status,
        actions=(
            *actions,
            *_record_again(case, actions),
        ),  # last: what ends an attempt comes before what lets one begin
        events=events(job.status, status, job.queue),
        wants_dispatch=decision.wants_dispatch,
        wake_at=earliest((flags_due, *decision.wake), now),
    )


def _record_again(case: Case, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Redis has lost the record of a job that something was sent of: without it, a deletion would leave what runs."""
    told = any(isinstance(one, PutRecord) for one in actions)
    return (PutRecord(case.attempt, case.job.queue),) if case.job.sent and not case.wanted and not told else ()


def _withdrawn_from_workers(case: Case) -> tuple[Action, ...]:
    """The object waits for somebody's finalizer: nothing of it may start, and what runs is stopped."""
    if case.seen.end is not None or not case.touched:
        return ()
    gone = "The job's object is being deleted."
    if case.lost or case.closed:
        return (ForceEnd(case.task, Outcome.STOPPED, "DELETED", gone),)
    if case.worker:
        return () if case.seen.stop is not None else (RequestStop(case.task, StopReason.DELETED),)
    return (TakeClaim(case.task, Outcome.STOPPED, "DELETED", gone),)


def _status(case: Case, decision: Decision) -> Status:
    job, message = case.job, sentence(case, decision)
    details = decision.status
    facts = Facts(
        stage=decision.stage,
        generation=job.generation,
        message=message,
        dispatched=details.dispatch_time is not None,
        no_worker=case.seen.queue.workers == 0,
        held=bool(case.worker) and details.attempt == case.attempt,
        stopping=decision.stopping,
        suspending=decision.suspending,
        requested=job.spec.cancel_requested,
        confirmed=job.spec.cancel_confirmed,
        cause=decision.cause,
        failure=details.failure,
    )
    phase, made = conditions(facts, case.stored.conditions, case.now)
    status = replace(
        details,
        observed_generation=job.generation,
        phase=phase,
        message=message,
        cancel=_cancel(case, decision.stage),
        conditions=made,
    )
    # Cut here and not only at the write: else what is stored would differ from the plan for ever. It takes longer than
    # all the rest, and what is stored already fits.
    return case.stored if status == case.stored else fit(status)


def _cancel(case: Case, stage: Stage) -> Cancel | None:
    spec, stored, end = case.job.spec, case.stored.cancel or Cancel(), case.seen.end
    acknowledged = None
    if stage is Stage.CANCELLED:
        recorded = end.at if end is not None and end.outcome is Outcome.CANCELLED else None
        acknowledged = whole(recorded) if recorded else case.at
    if not (spec.cancel_requested or spec.cancel_confirmed):
        return Cancel(acknowledged_at=acknowledged) if acknowledged else None
    return Cancel(
        requested_at=stored.requested_at or case.at,
        confirmed_at=(stored.confirmed_at or case.at) if spec.cancel_confirmed else None,
        acknowledged_at=acknowledged,
    )
