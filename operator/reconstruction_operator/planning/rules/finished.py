"""Clean-up of a finished job: flags, files, and the object when its time to live has expired. Its status is final."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.case import Case
from reconstruction_operator.planning.rules import flags
from reconstruction_operator.planning.times import after, deletion_is_due, earliest
from reconstruction_operator.planning.types import Job, Plan

_RECHECK_SECONDS = 5.0  # between two checks whether the files are deleted
_SLOW_RECHECK_SECONDS = 60.0  # the same, while no worker consumes the queue, or after many orders
_SOON_ORDERS = 3
_BY_THE_OPERATOR = ("WORKER_LOST", "TIMEOUT", "QUEUE_TIMEOUT")  # failures that the operator decides without a worker


def plan(case: Case) -> Plan:
    """Delete the flags (except that of a cancel), restore what Redis lost, and delete files after a cancel or the time
    to live.
    """
    expiry = _expires(case.job)
    expired = expiry is not None and expiry <= case.now
    delete_files = _must_delete_files(case, expired=expired)
    actions = [*_flags(case, delete_files=delete_files), *_restored(case)]
    wake = [expiry]
    if delete_files:
        since = expiry if expired and expiry else case.stored.completion_time or case.now
        orders = case.seen.record.orders if case.seen.record else 0
        if deletion_is_due(case.seen.record, case.observed, since, case.now, case.timing):
            uncancelled = case.stored.phase is not Phase.CANCELLED  # until its time to live has expired
            retained = case.timing.retention(case.job.spec) if uncancelled else 0
            order = planned.DeleteFiles(case.queue, expired=expired and uncancelled, retain_seconds=retained)
            actions.append(order)
        soon = case.observed.workers and orders <= _SOON_ORDERS
        pause = _RECHECK_SECONDS if soon else _SLOW_RECHECK_SECONDS
        wake.append(after(case.now, pause))
    elif expired and not case.job.deleting:
        actions.append(planned.DeleteObject())
        wake.append(after(case.now, _SLOW_RECHECK_SECONDS))  # unless the watch reports the deletion
    if _may_begin(case):
        wake.append(after(case.now, case.timing.epoch_grace_seconds))  # the attempt is closed then
    return Plan(_generation_observed(case), tuple(actions), wake_at=earliest(wake, case.now))


def _may_begin(case: Case) -> bool:
    """Return whether a worker may still begin the attempt: Redis may hold older data, with its message and without its
    end.
    """
    return case.in_grace and case.job.sent and case.seen.end is None


def _generation_observed(case: Case) -> Status:
    """Return the stored status with the current generation: without it, kstatus and Helm would wait forever after an
    edit of the spec.
    """
    stored, generation = case.stored, case.job.generation
    if stored.observed_generation >= generation:
        return stored
    conditions = tuple(replace(condition, observed_generation=generation) for condition in stored.conditions)
    return replace(stored, observed_generation=generation, conditions=conditions)


def _flags(case: Case, *, delete_files: bool) -> tuple[planned.Action, ...]:
    seen = case.seen
    if case.stored.phase is not Phase.CANCELLED:
        return (planned.ClearFlags(),) if seen.requested or seen.confirmed else ()
    # The confirmed flag stays until it expires: it stops late duplicates of the message.
    withdrawn = (planned.WithdrawRequest(),) if seen.requested else ()
    if not delete_files and not case.record_lost and not _may_begin(case):
        return withdrawn
    # The flag tells the worker to delete copies of the result as well, so it must not expire before the files are
    # deleted. It is set before the record is restored: without a record, no order to delete is carried out.
    renewed, _ = flags.keep(planned.AssertCancelled(), seen, case.now, case.timing, is_set=seen.confirmed)
    return (*withdrawn, *renewed)


def _restored(case: Case) -> tuple[planned.Action, ...]:
    """Return what restores data that Redis lost: an end, so that the attempt never runs again, and the record, which a
    deletion needs.
    """
    put = (planned.PutRecord(case.task),) if case.record_lost else ()
    if case.stored.attempt == 0 or case.seen.end is not None or case.wanted > case.attempt:
        return put
    if case.worker:
        return put if case.seen.stop is not None else (*put, planned.RequestStop(case.task, StopReason.SUPERSEDED))
    if case.in_grace:
        return ()
    failure = case.stored.failure
    outcome = Outcome(case.stored.phase or Phase.FAILED)
    reason = failure.reason if failure else "CANCELLED" if outcome is Outcome.CANCELLED else ""
    closed = planned.EndAttempt(case.task, outcome, reason, "The job had finished before Redis lost it.")
    return (closed, *put)


def _must_delete_files(case: Case, *, expired: bool) -> bool:
    if case.seen.cleaned:
        return False
    if expired:
        # Only if a worker started an attempt. Otherwise there are no files, and the object is deleted at once.
        return case.stored.attempt > 1 or case.stored.begun
    if case.stored.phase is Phase.CANCELLED:
        # A record without a status that shows a message: a leader died between both.
        return (case.job.sent or case.wanted > 0) and not _has_deleted(case)
    return _may_lack_clean_up(case.job) and _lacks_clean_up(case)


def _may_lack_clean_up(job: Job) -> bool:
    """Return whether a failed job's last attempt may have ended without a worker, and left photos and stages for a next
    attempt.
    """
    status = job.status
    began = status.begun or status.attempt > 1
    reason = status.failure.reason if status.failure else ""
    return began and status.phase is Phase.FAILED and status.outputs is None and reason in _BY_THE_OPERATOR


def _lacks_clean_up(case: Case) -> bool:
    """Return whether the operator ended the last attempt, and no worker has deleted what the attempts left."""
    end, record = case.seen.end, case.seen.record
    return end is not None and not end.worker and not (record is not None and record.deleted)


def _has_deleted(case: Case) -> bool:
    """Return whether a worker has deleted a cancelled job's files, or will.

    A worker deletes them when it ends a cancelled attempt; the operator, which has no volume, cannot. An attempt that
    ended otherwise may have left files: Redis may have lost the cancel, or an attempt that then ran a second time.
    """
    if case.seen.end is None and (case.in_grace or (case.worker and not case.lost)):
        return True
    return case.seen.record is not None and case.seen.record.deleted


def next_plan(job: Job, now: datetime, cancel_ttl_seconds: float) -> datetime | None:
    """Return when a finished job, of which only the object is known, needs a plan; None: never.

    A finished job has been planned since its end, by this operator or by an earlier one. What may remain: a later edit
    of the spec, the files of a cancelled job or of a lost attempt, flags that have not expired yet, and the end of its
    time to live.
    """
    if not job.ours:
        return None
    status, spec = job.status, job.spec
    ended = status.completion_time
    cancelled = status.phase is Phase.CANCELLED and job.sent
    flagged = spec.cancel_requested or status.cancel is not None
    lately = ended is None or after(ended, cancel_ttl_seconds) > now
    followed = flagged or _may_lack_clean_up(job)
    if status.observed_generation < job.generation or cancelled or (followed and lately):
        return now
    return _expires(job)


def _expires(job: Job) -> datetime | None:
    """Return when the job's time to live expires; None: not yet known, until all its notifications are sent."""
    if job.status.unsent:
        return None
    seconds, ended = job.spec.ttl_seconds_after_finished, job.status.completion_time
    return None if seconds is None or ended is None else after(ended, seconds)
