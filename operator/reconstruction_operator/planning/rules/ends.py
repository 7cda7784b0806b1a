"""End of an attempt: it ends the job, or another attempt follows, or the job is suspended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import Outcome, Reason, reason
from reconstruction_operator.contract.records import End
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.rules import restarting
from reconstruction_operator.planning.status.details import (
    at_rest,
    failure_of,
    first_known,
    read_inputs,
    with_attempt,
    with_findings,
)
from reconstruction_operator.planning.status.progress import advance, done, halted
from reconstruction_operator.planning.times import after, backoff, whole

_WITH_PAUSE = frozenset({"WORKER_EXHAUSTED"})
_WITHOUT_BACKOFF = frozenset({"WORKER_LOST"})  # detecting the loss took long enough


def decide(case: Case) -> Decision | None:
    """Decide what follows a recorded end, which is final regardless of status and spec.

    - A success or a cancel ends the job.
    - Otherwise a newer attempt that the record wants continues.
    - Otherwise a confirmed cancel or a suspend takes effect before another attempt.
    """
    end = case.seen.end
    if end is None:
        return None
    if end.outcome is Outcome.SUCCEEDED:
        return _succeeded(case, end)
    if end.outcome is Outcome.CANCELLED:
        return _cancelled(case, end)
    cause = reason(end.reason or "WORKER_ERROR")
    stopped = end.outcome is Outcome.STOPPED and end.reason != "TIMEOUT"
    failed = not stopped and (cause.counts or not cause.retriable)
    if case.suspended and not case.job.spec.cancel_confirmed:
        return None  # `suspending` decides: this end was counted when the job was suspended
    counted = _counted(case, end) if failed and not case.suspended else case.stored
    if case.wanted > case.attempt:
        return restarting.adopt(case, counted)
    if case.job.spec.cancel_confirmed and (stopped or cause.retriable):
        return _cancelled(case, None)
    if failed:
        return _failed(case, end, cause, counted)
    if case.job.spec.suspend:
        return Decision(JobState.SUSPENDED, at_rest(case))
    # No failure, but the same worker may be the only one with a free slot.
    due = _due(case, 1) if cause.code in _WITH_PAUSE else None
    return restarting.another(case, case.stored, due=due, cause=end.reason)


def _succeeded(case: Case, end: End) -> Decision:
    status = replace(
        _over(case, end),
        simulated=end.simulated,
        progress=done(case.stored, case.now, end.findings.resumed_from),
        outputs=end.outputs,
        reused_from=end.reused_from,
        failure=None,
    )
    return Decision(JobState.SUCCEEDED, status)


def _cancelled(case: Case, end: End | None) -> Decision:
    """`end` is None if the attempt ended otherwise, before the cancel took effect."""
    return Decision(JobState.CANCELLED, replace(_over(case, end), failure=None, progress=_reached(case)))


def _failed(case: Case, end: End, cause: Reason, counted: Status) -> Decision:
    spec = case.job.spec
    if cause.retriable and counted.failures <= spec.backoff_limit:
        if spec.suspend:
            rest = replace(at_rest(case), failures=counted.failures, failure=counted.failure)
            return Decision(JobState.SUSPENDED, rest)
        due = None if cause.code in _WITHOUT_BACKOFF else _due(case, counted.failures)
        return restarting.another(case, counted, due=due, cause=cause.code)
    status = replace(
        _over(case, end),
        failures=counted.failures,
        failure=counted.failure,
        progress=_reached(case),
        simulated=end.simulated or case.stored.simulated,
        outputs=end.outputs,  # only its copy failed
        warning="",  # of a success alone
    )
    return Decision(JobState.FAILED, status)


def _counted(case: Case, end: End) -> Status:
    """Return the stored status, with this failure counted."""
    cause = reason(end.reason or "WORKER_ERROR")
    failures = case.stored.failures + (1 if cause.counts else 0)
    return replace(case.stored, failures=failures, failure=failure_of(cause.code, end.message))


def _due(case: Case, failures: int) -> datetime | None:
    pause = backoff(failures, case.timing.backoff_seconds, case.timing.backoff_max_seconds)
    return whole(after(case.now, pause)) if pause > 0 else None


def _over(case: Case, end: End | None) -> Status:
    claim = case.seen.claim
    owner, began = (claim.owner, whole(claim.at)) if claim and not claim.by_operator else (None, None)
    ended = whole(end.at) if end and end.at else None
    status = replace(
        with_attempt(case),
        worker=first_known(end.worker if end else None, owner, case.stored.worker),
        start_time=first_known(case.stored.start_time, began),
        next_attempt_time=None,
        completion_time=first_known(ended, case.at),
        inputs=read_inputs(case),
    )
    return status if end is None else with_findings(status, end.findings)


def _reached(case: Case) -> Progress | None:
    return halted(advance(case.stored, case.observed.progress, case.now, case.timing, show_text=False).progress)
