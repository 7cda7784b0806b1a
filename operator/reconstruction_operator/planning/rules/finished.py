"""What is left to do for a job that is over: its status never changes again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning.actions import (
    Action,
    AssertCancelled,
    ClearFlags,
    DeleteFiles,
    DeleteObject,
    PutRecord,
    RequestStop,
    TakeClaim,
    WithdrawRequest,
)
from reconstruction_operator.planning.case import Case
from reconstruction_operator.planning.rules.cancelling import kept
from reconstruction_operator.planning.rules.cleaning import order_is_due
from reconstruction_operator.planning.times import after, earliest
from reconstruction_operator.planning.types import Plan

_OUTCOMES = {
    Phase.SUCCEEDED: Outcome.SUCCEEDED,
    Phase.FAILED: Outcome.FAILED,
    Phase.CANCELLED: Outcome.CANCELLED,
}
_LOOK_AGAIN_SECONDS = 5.0  # at whether an order to delete files has been carried out
_LOOK_SELDOM_SECONDS = 60.0  # the same, where no worker listens to the queue


def plan(case: Case) -> Plan:
    """Flags go, except a cancel's own; what Redis has forgotten is closed again; files go when a cancel or the time says."""
    expiry = _expiry(case)
    expired = expiry is not None and expiry <= case.now
    files_must_go = _files_must_go(case, expired=expired)
    actions = [*_flags(case, files_must_go=files_must_go), *_closed_again(case)]
    wake = [expiry]
    if files_must_go:
        since = expiry if expired and expiry else case.stored.completion_time or case.now
        if order_is_due(case.seen.record, case.seen.queue, since, case.now, case.timing):
            actions.append(DeleteFiles(case.job.queue))
        pause = _LOOK_AGAIN_SECONDS if case.seen.queue.workers else _LOOK_SELDOM_SECONDS
        wake.append(after(case.now, pause))
    elif expired and not case.job.deleting:
        actions.append(DeleteObject())
        wake.append(after(case.now, _LOOK_SELDOM_SECONDS))  # unless the watch says that it is gone
    return Plan(_seen_again(case), tuple(actions), wake_at=earliest(wake, case.now))


def _seen_again(case: Case) -> Status:
    """The end stays as it is; that a later edit of the spec was seen is said, or kstatus and Helm wait for ever."""
    stored, generation = case.stored, case.job.generation
    if stored.observed_generation >= generation:
        return stored
    conditions = tuple(replace(one, observed_generation=generation) for one in stored.conditions)
    return replace(stored, observed_generation=generation, conditions=conditions)


def _flags(case: Case, *, files_must_go: bool) -> tuple[Action, ...]:
    seen = case.seen
    if case.stored.phase is not Phase.CANCELLED:
        return (ClearFlags(),) if seen.requested or seen.confirmed else ()
    # The confirmed flag stays until its time is over: a late duplicate stops.
    withdrawn = (WithdrawRequest(),) if seen.requested else ()
    if not files_must_go and not _record_is_lost(case):
        return withdrawn
    # By the flag the worker knows that no copy of a result may stay, however long the order waits for one. It is there
    # before the record is again, without which no order is carried out.
    prolonged, _ = kept(AssertCancelled(), seen, case.now, case.timing, is_set=seen.confirmed)
    return (*withdrawn, *prolonged)


def _record_is_lost(case: Case) -> bool:
    return case.job.sent and not case.wanted


def _closed_again(case: Case) -> tuple[Action, ...]:
    """What Redis has lost: the last attempt must not run again, and the record is what a deletion cleans up by."""
    put = (PutRecord(case.attempt, case.job.queue),) if _record_is_lost(case) else ()
    if case.stored.attempt == 0 or case.seen.end is not None:
        return put
    if case.worker:
        return put if case.seen.stop is not None else (*put, RequestStop(case.task, StopReason.SUPERSEDED))
    if case.in_grace:
        return ()
    failure = case.stored.failure
    outcome = _OUTCOMES[case.stored.phase or Phase.FAILED]
    reason = failure.reason if failure else "CANCELLED" if outcome is Outcome.CANCELLED else ""
    closed = TakeClaim(case.task, outcome, reason, "The job was over before Redis forgot it.")
    return (closed, *put)


def _files_must_go(case: Case, *, expired: bool) -> bool:
    if case.seen.cleaned:
        return False
    if expired:
        # Whether a worker is known to have begun an attempt. Otherwise the object need not wait: its record is cleaned up.
        return case.stored.attempt > 1 or case.stored.worker is not None
    return case.stored.phase is Phase.CANCELLED and case.job.sent and not _has_deleted(case)


def _has_deleted(case: Case) -> bool:
    """Whether a worker has deleted a cancelled job's files, as it does where it ends such an attempt, or is still to end it.

    Nobody has where the operator ended it, which has none to delete with; nor where the attempt ended otherwise: Redis may
    have forgotten what it knew of the cancel, or that the attempt had begun, and another run of it may have come to an end.
    """
    end = case.seen.end
    if end is None:
        return case.in_grace or (bool(case.worker) and not case.lost)
    return end.outcome is Outcome.CANCELLED and bool(end.worker) and not end.files_left


def _expiry(case: Case) -> datetime | None:
    seconds, ended = case.job.spec.ttl_seconds_after_finished, case.stored.completion_time
    return None if seconds is None or ended is None else after(ended, seconds)
