"""Deletions: what runs is stopped.

Once the object is gone, its record is an orphan: the files and the keys in Redis are deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.case import Case
from reconstruction_operator.planning.rules import flags
from reconstruction_operator.planning.rules.attempts import end_unwanted
from reconstruction_operator.planning.times import deletion_is_due
from reconstruction_operator.planning.types import Job, Observation, Timing


def plan_deleting(case: Case) -> tuple[planned.Action, ...]:
    """Return what ends the attempt of a job whose object a foreign finalizer holds; no other attempt starts."""
    if case.seen.end is not None or not case.touched:
        return ()
    end = planned.EndAttempt(case.task, Outcome.STOPPED, "DELETED", "The job's object is being deleted.")
    return end_unwanted(end, case.observed, case.timing, StopReason.DELETED)


def plan_orphan(
    record: Record,
    observed: Observation,
    now: datetime,
    timing: Timing,
    *,
    begun: bool = False,
    retain_seconds: int | None = None,
) -> tuple[planned.Action, ...]:
    """Return the next step of the clean-up; plan again until `Forget` is carried out.

    `observed` is of the attempt that the record wants. `begun`: a worker has begun the job, even if Redis does not show
    it. `retain_seconds`: as in `DeleteFiles`.
    """
    task = record.attempt
    seen = observed.redis
    if seen.end is None:
        end = planned.EndAttempt(task, Outcome.STOPPED, "DELETED", "The job's object was deleted.")
        return end_unwanted(end, observed, timing, StopReason.DELETED)
    if record.cleaned:
        return (planned.Forget(),)
    claimed = seen.claim is not None and seen.claim.by_operator
    # A record that was put back after a loss of data has no time of sending, or orders, and does not show that a worker
    # began.
    untouched = task.number == 1 and record.sent_at is not None and not record.orders and not record.begun
    if not begun and claimed and untouched:  # no files, and perhaps no worker to delete them
        return (planned.TakeBack(task), planned.Forget())
    flagged: tuple[planned.Action, ...] = ()
    if seen.end.outcome is Outcome.SUCCEEDED:
        flagged = (planned.ClearFlags(),) if seen.requested or seen.confirmed else ()
    elif seen.confirmed:
        # The last attempt may have ended otherwise. The flag tells the worker to delete copies of the result as well.
        flagged, _ = flags.keep(planned.AssertCancelled(), seen, now, timing, is_set=True)
    if deletion_is_due(record, observed, seen.end.at or now, now, timing):
        return (*flagged, planned.DeleteFiles(task.queue, retain_seconds=retain_seconds))
    return flagged


def plan_contested(record: Record, observed: Observation, timing: Timing) -> tuple[planned.Action, ...]:
    """Return the next step for a job that another installation manages: the attempt that this one sent ends, and the
    files stay.
    """
    if observed.redis.end is not None:
        return (planned.Forget(),)
    text = "Another installation manages the job."
    end = planned.EndAttempt(record.attempt, Outcome.STOPPED, "SUPERSEDED", text)
    return end_unwanted(end, observed, timing, StopReason.SUPERSEDED)


def sort_folders(
    reported: Mapping[str, AttemptRef], jobs: Mapping[str, Job], install_id: str
) -> tuple[list[Job], dict[str, AttemptRef]]:
    """Sort the job folders that workers reported after Redis lost data, of which these jobs have an object.

    Return the jobs whose status shows no message, and our folders without an object. The leader of the former died
    before the status was written: they get their record back, since the clean-up needs it. The latter may be orphans.
    """
    ours = {job_id: attempt for job_id, attempt in reported.items() if attempt.job.install_id == install_id}
    unrecorded = [job for job_id, job in jobs.items() if job_id in ours and job.ours and not job.sent]
    return unrecorded, {job_id: attempt for job_id, attempt in ours.items() if job_id not in jobs}
