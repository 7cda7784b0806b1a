"""Installations: the installation whose mark a job's status holds manages the job. Any other one leaves it alone, and reports it.

The mark is stored with the first status of the job. A status is written only over the version that its plan was made from: if two
installations have dispatched a new job at the same moment, one of them loses, and stops its attempt. A mark changes only by a
handover, which writes another Lease into it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.fitting import fit
from reconstruction_operator.api.status import Condition, ConditionType, InstallationMark, Status
from reconstruction_operator.planning.times import whole
from reconstruction_operator.planning.types import Event, Job, Management, Plan

_REASON = "ManagedElsewhere"


def management(status: Status, mine: InstallationMark) -> Management:
    """Return which installation manages the job with that status; `mine` is our mark."""
    mark = status.installation
    if mark is None or mark == InstallationMark():
        return Management.UNMARKED
    if mark == mine:
        return Management.OURS
    return Management.INHERITED if mark.lease == mine.lease else Management.FOREIGN


def marked(job: Job, mine: InstallationMark) -> Job:
    """Return the job with our mark in its status, for a plan. A finished job gets no mark: its clean-up is idempotent."""
    if job.finished or not job.ours or job.management is Management.OURS:
        return job
    conditions = tuple(condition for condition in job.status.conditions if condition.type != ConditionType.CONTESTED)
    return replace(job, status=replace(job.status, installation=mine, conditions=conditions))


def settled(job: Job, ours: Job, planned: Plan, mine: InstallationMark) -> Plan:
    """Return the plan of the stored job, from the plan `planned` of the marked one (`ours`).

    The mark alone is no reason for a write, unless the job was handed over.
    """
    before = job.status.installation
    if ours is job:
        return planned
    if before is None or job.management is Management.UNMARKED:
        return replace(planned, status=job.status) if planned.status == ours.status else planned
    if before.id == mine.id:
        return planned
    taken_over = Event("Normal", "TakenOver", f"Installation {mine.id} has taken over from {before.id}")
    return replace(planned, events=(taken_over, *planned.events))


def contested_report(job: Job, mine: InstallationMark, now: datetime) -> Plan:
    """Return the report on a job that another installation manages: a condition and an Event, once.

    The other installation keeps the condition in its place when it writes the status, so the two never undo each other's writes.
    """
    theirs, status = job.status.installation, job.status
    if theirs is None or job.deleting or job.finished or status.condition(ConditionType.CONTESTED) is not None:
        return Plan(status)
    text = (
        f"Installation {theirs.id} (Lease {theirs.lease}) manages this job. "
        f"Installation {mine.id} (Lease {mine.lease}) watches its namespace as well, and ignores the job"
    )
    contested = Condition(ConditionType.CONTESTED, "True", _REASON, text, whole(now), job.generation)
    reported = fit(replace(status, conditions=(contested, *status.conditions)))
    return Plan(reported, events=(Event("Warning", _REASON, text),))
