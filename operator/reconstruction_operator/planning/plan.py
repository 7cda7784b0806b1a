"""Plan: a pure function from a job and an observation to the actions and the status that follow.

The rules are the modules of `rules/`. Their order is the decision table: a recorded end comes first, a confirmed cancel
beats suspend, retry and deadlines, and so on. Phase, conditions, message and Events are made here from the rule's
decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Final

from reconstruction_operator.api.fitting import fit
from reconstruction_operator.api.status import Cancel, InstallationMark, Status
from reconstruction_operator.api.verdict import verdict as decide
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.actions import Action, PutRecord
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.rules import (
    cancelling,
    dispatching,
    ends,
    finished,
    flags,
    legs,
    orphans,
    restarting,
    running,
    suspending,
    unstarted,
    validating,
)
from reconstruction_operator.planning.status import columns
from reconstruction_operator.planning.status.conditions import Circumstances, conditions
from reconstruction_operator.planning.status.details import updated
from reconstruction_operator.planning.status.events import events
from reconstruction_operator.planning.status.messages import sentence
from reconstruction_operator.planning.status.notifications import long_wait_at, notifications
from reconstruction_operator.planning.status.waiting import wait_of
from reconstruction_operator.planning.times import earliest, whole
from reconstruction_operator.planning.types import Job, Management, Observation, Plan, Timing

_RULES: tuple[Callable[[Case], Decision | None], ...] = (
    ends.decide,
    restarting.decide,
    validating.refuse_attempt,
    validating.decide,
    cancelling.decide,
    suspending.decide,
    running.decide,
    running.recover,
    unstarted.past_deadline,
    unstarted.unusable_input,
    legs.decide,
    dispatching.decide,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What the rules decided of a job.

    Admission decides whether the job is dispatched, and `complete` makes the plan.
    """

    case: Case
    decision: Decision | None  # None: the job is finished, being deleted, or not ours

    @property
    def wants_dispatch(self) -> bool:
        """Whether the job is dispatched if it is admitted."""
        return self.decision is not None and self.decision.wants_dispatch


def draft(job: Job, observed: Observation, now: datetime, timing: Timing) -> Draft:
    """Apply the rules to the stored job and the observation of its attempt (`job.task`)."""
    case = Case(job, observed, now, timing)
    if not job.ours or job.finished or job.deleting:
        return Draft(case, None)
    return Draft(case, next((decision for rule in _RULES if (decision := rule(case)) is not None), None))


def complete(draft: Draft, mine: InstallationMark, *, admitted: bool) -> Plan:
    """Return the plan.

    It is idempotent: planned again from its own status and the same observation, it has the same status and no Events.

    `mine` is the mark of this installation. `admitted`: `scheduling` admits the attempt's message now.
    """
    case, decision, job = draft.case, draft.decision, draft.case.job
    if not job.ours:
        return Plan(job.status)
    if decision is None:
        if job.finished:
            return finished.plan(case)
        return Plan(job.status, orphans.plan_deleting(case))
    if admitted and decision.wants_dispatch:
        decision = dispatching.dispatch(case)
    flagged, flags_due = ((), None) if decision.state.final else flags.follow_spec(case)
    actions = (*flagged, *decision.actions)
    status = _status(case, decision, mine)
    return Plan(
        status=status,
        actions=(*actions, *_record(case, actions, mine)),  # an attempt is ended before the next one is allowed
        events=events(job.status, status, case.sending, job.cancel_by, job.spec.cancel_reason),
        wants_dispatch=decision.wants_dispatch,
        wake_at=earliest((flags_due, *decision.wake, long_wait_at(case, decision.state)), case.now),
        again=_is_awaited(case, status, actions, mine),
    )


# The fields of a status on which a later plan's actions depend.
_decides: Final = attrgetter("phase", "attempt", "dispatch_time", "worker")


def _is_awaited(case: Case, status: Status, actions: tuple[Action, ...], mine: InstallationMark) -> bool:
    """Return whether another plan is needed once this status is stored.

    After an end: for the rest of the clean-up. Otherwise: for the next attempt, a change of suspension, or a missing
    record.
    """
    if _decides(status) == _decides(case.stored):
        return False
    then = replace(case, job=replace(case.job, status=status, management=Management.OURS))
    if status.phase is not None and status.phase.finished:
        left = finished.plan(then)
        return bool(left.actions) or left.wake_at is not None
    is_new = status.attempt > case.attempt or then.suspended is not case.suspended
    return is_new or bool(set(_record(then, actions, mine)).difference(_record(case, actions, mine)))


def _record(case: Case, actions: tuple[Action, ...], mine: InstallationMark) -> tuple[Action, ...]:
    """Return what restores the record of a sent job, if Redis lost it or another installation made it.

    A deletion needs the record to find what still runs. Before a mark is stored, the other installation may manage the
    job.
    """
    record = case.seen.record
    of_another = (
        record is not None and record.attempt.job.install_id != mine.id and case.job.management is Management.OURS
    )
    put = any(isinstance(action, PutRecord) for action in actions)
    return (PutRecord(case.task, case.stored.leg),) if (case.record_lost or of_another) and not put else ()


def _status(case: Case, decision: Decision, mine: InstallationMark) -> Status:
    job, details = case.job, decision.status
    wait = wait_of(case, decision)
    message = sentence(case, decision, wait)
    facts = Circumstances(
        state=decision.state,
        generation=job.generation,
        message=message if wait is not None or decision.state.final else "",
        waits=None if wait is None else wait.kind,
        dispatched=details.dispatch_time is not None,
        held=bool(case.worker) and not case.at_rest and details.attempt == case.attempt,
        stopping=decision.stopping,
        suspending=decision.suspending,
        requested=job.spec.cancel_requested,
        confirmed=job.spec.cancel_confirmed,
        cancel_reason=job.spec.cancel_reason,
        cause=decision.cause,
        failure=details.failure,
        checked=case.observed.checked,
    )
    phase, listed = conditions(facts, installations.own_conditions(job, mine), case.now)
    verdict = decide(
        phase,
        simulated=bool(details.simulated),
        warning=details.warning,
        reasons=[condition.reason for condition in listed],
    )
    status = updated(
        details,
        observed_generation=job.generation,
        phase=phase,
        phase_detail=columns.phase_detail(facts, phase, verdict),
        time_detail=columns.time_detail(details, phase),
        reason=columns.reason(decision, wait),
        verdict=verdict,
        message=message,
        cancel=_cancel(case, decision.state),
        notifications=notifications(case, decision.state, max(1, details.attempt), verdict),
        conditions=listed,
    )
    # Truncated here and not only when written: otherwise the stored status would always differ from the plan.
    status = installations.mark(job, case.stored if status == case.stored else status, mine)
    return status if status is case.stored else fit(status)


def _cancel(case: Case, state: JobState) -> Cancel | None:
    spec, stored, end = case.job.spec, case.stored.cancel or Cancel(), case.seen.end
    acknowledged = None
    if state is JobState.CANCELLED:
        recorded = end.at if end is not None and end.outcome is Outcome.CANCELLED else None
        acknowledged = whole(recorded) if recorded else case.at
    if not (spec.cancel_requested or spec.cancel_confirmed):
        return Cancel(acknowledged_at=acknowledged) if acknowledged else None
    # The cancel may be done before Cancelling is stored.
    seen_at = case.at if acknowledged is None else min(case.at, acknowledged)
    return Cancel(
        requested_at=stored.requested_at or seen_at,
        confirmed_at=(stored.confirmed_at or seen_at) if spec.cancel_confirmed else None,
        acknowledged_at=acknowledged,
    )
