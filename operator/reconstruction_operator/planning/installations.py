"""Installations: the installation whose id a job's status holds (the mark) manages the job.

Any other one leaves it alone, and reports it.

The mark is stored with the first status of the job. A status is written only over the version that its plan was made
from: if two installations have dispatched a new job at the same moment, one of them loses, and stops its attempt. A job
keeps its installation: an installation that moves takes its INSTALL_ID along, and thus its jobs.
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
    return Management.OURS if mark.id == mine.id else Management.FOREIGN


def own_conditions(job: Job, mine: InstallationMark) -> tuple[Condition, ...]:
    """Return the stored conditions. A job that has not our mark yet loses Contested with its next status."""
    stored = job.status.conditions
    if job.status.installation == mine:
        return stored
    return tuple(condition for condition in stored if condition.type != ConditionType.CONTESTED)


def mark(job: Job, planned: Status, mine: InstallationMark) -> Status:
    """Return the planned status of an unfinished job of ours, with our mark.

    The mark alone is no reason for a write.
    """
    if planned is job.status or planned.installation == mine:
        return planned
    return replace(planned, installation=mine)


def contested_report(job: Job, mine: InstallationMark, now: datetime) -> Plan:
    """Return the report on a job that another installation manages: a condition and an Event, once.

    The other installation keeps the condition in its place when it writes the status, so the two never undo each
    other's writes.
    """
    theirs, status = job.status.installation, job.status
    if theirs is None or job.deleting or job.finished or status.condition(ConditionType.CONTESTED) is not None:
        return Plan(status)
    text = (
        f"Installation {theirs.id} (Lease {theirs.lease}) manages this job. "
        f"Installation {mine.id} (Lease {mine.lease}) watches its namespace as well, and ignores the job. "
        "Let only one of them watch the namespace (WATCH_NAMESPACES). "
        "To move an installation, stop it, and start the new one with the same INSTALL_ID"
    )
    contested = Condition(ConditionType.CONTESTED, "True", _REASON, text, whole(now), job.generation)
    reported = fit(replace(status, conditions=(contested, *status.conditions)))
    return Plan(reported, events=(Event("Warning", _REASON, text),))
