"""Installations: if several watch a namespace, the first to store its mark in a job's status manages the job.

A status is written only over the version that its plan was made from, so only one of several marks is stored. No operator
acts on a job before that: if two operators see a job at the same time, only one sends it. The mark is stored together with
the decision (write-ahead), so a job that can be dispatched at once needs one write, not two.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.fitting import fit
from reconstruction_operator.api.status import Condition, ConditionType, InstallationMark
from reconstruction_operator.planning.times import whole
from reconstruction_operator.planning.types import Event, Job, Management, Plan

_REASON = "ManagedElsewhere"


def marked(job: Job, made: Plan, mine: InstallationMark, *, admitted: bool) -> Plan:
    """Return the plan with our mark, if the job lacks the mark and needs an action, which follows once the mark is stored.

    A job that only waits for its first turn is not marked: an upgrade would write every status. Neither is a finished
    job, whose clean-up is idempotent.
    """
    finished = job.status.phase is not None and job.status.phase.finished
    if finished or job.management is Management.OURS or not job.ours:
        return made
    if made.status == job.status and not made.actions and not admitted and not job.sent:
        return made
    kept = tuple(one for one in made.status.conditions if one.type != ConditionType.CONTESTED)
    status = fit(replace(made.status, installation=mine, conditions=kept), made.status)
    events = (*_taken_over(job, mine), *made.events)
    known = job.sent or job.management is not Management.UNMARKED  # Redis may hold a record of another installation
    return replace(made, status=status, events=events, actions=(), again=made.again or known or bool(made.actions))


def contested_report(job: Job, mine: InstallationMark, now: datetime) -> Plan:
    """Return the report on a job that another installation manages: a condition and an Event, once.

    The other installation keeps the condition in its place when it writes the status, so the two never undo each other's writes.
    """
    theirs, status = job.status.installation, job.status
    over = job.deleting or (status.phase is not None and status.phase.finished)
    if theirs is None or over or status.condition(ConditionType.CONTESTED) is not None:
        return Plan(status)
    text = (
        f"Installation {theirs.id} (Lease {theirs.lease}) manages this job. "
        f"Installation {mine.id} (Lease {mine.lease}) watches its namespace as well, and ignores the job"
    )
    contested = Condition(ConditionType.CONTESTED, "True", _REASON, text, whole(now), job.generation)
    reported = fit(replace(status, conditions=(contested, *status.conditions)), status)
    return Plan(reported, events=(Event("Warning", _REASON, text),))


def _taken_over(job: Job, mine: InstallationMark) -> tuple[Event, ...]:
    before = job.status.installation
    if before is None or before.id == mine.id:
        return ()
    return (Event("Normal", "TakenOver", f"Installation {mine.id} has taken over from {before.id}"),)
