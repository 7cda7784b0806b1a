"""Installations: where several watch a namespace, the first one that stores its mark in a job's status manages the job.

A status is written only over the version that its plan was made from, so of several marks one is stored. Nothing is done
for a job before: a job that two operators see at the same time is sent by one of them. The mark is stored together with
what is to be done (write-ahead), so a job that can go at once needs one write, not two.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.fitting import fit
from reconstruction_operator.api.status import Condition, ConditionType, InstallationMark
from reconstruction_operator.planning.shards import related
from reconstruction_operator.planning.times import whole
from reconstruction_operator.planning.types import Event, Job, Management, Plan

_REASON = "ManagedElsewhere"


def marked(job: Job, made: Plan, mine: InstallationMark, *, admitted: bool) -> Plan:
    """The plan with our mark, if the job lacks it and something is to be done; its actions follow when the mark is stored.

    A job that only waits for its first turn is not marked: an upgrade would write every status. Nor is a finished one,
    whose clean-up is idempotent.
    """
    finished = job.status.phase is not None and job.status.phase.finished
    if finished or job.management is Management.OURS or not job.ours:
        return made
    if made.status == job.status and not made.actions and not admitted and not job.sent:
        return made
    kept = tuple(one for one in made.status.conditions if one.type != ConditionType.CONTESTED)
    status = fit(replace(made.status, installation=mine, conditions=kept), made.status)
    events = (*_taken_over(job, mine), *made.events)
    known = job.sent or job.management is not Management.UNMARKED  # Redis may have a record that is not ours
    return replace(made, status=status, events=events, actions=(), again=made.again or known or bool(made.actions))


def left_alone(job: Job, mine: InstallationMark, now: datetime) -> Plan:
    """The report on a job that another installation manages: a condition and an Event, once.

    The other installation keeps the condition, and its place, when it writes the status: both never write in turns.
    """
    theirs, status = job.status.installation, job.status
    over = job.deleting or (status.phase is not None and status.phase.finished)
    if theirs is None or related(theirs.lease, mine.lease):
        return Plan(status)  # a shard from before the number of shards was changed has it, until that one ends
    if over or status.condition(ConditionType.CONTESTED) is not None:
        return Plan(status)
    text = (
        f"Installation {theirs.id} (Lease {theirs.lease}) manages this job. "
        f"Installation {mine.id} (Lease {mine.lease}) watches its namespace as well, and leaves it alone"
    )
    contested = Condition(ConditionType.CONTESTED, "True", _REASON, text, whole(now), job.generation)
    reported = fit(replace(status, conditions=(contested, *status.conditions)), status)
    return Plan(reported, events=(Event("Warning", _REASON, text),))


def _taken_over(job: Job, mine: InstallationMark) -> tuple[Event, ...]:
    before = job.status.installation
    if before is None or before.id == mine.id:
        return ()
    if before.lease != mine.lease and related(before.lease, mine.lease):
        return ()  # from shard to shard
    return (Event("Normal", "TakenOver", f"Installation {mine.id} has taken over from {before.id}"),)
