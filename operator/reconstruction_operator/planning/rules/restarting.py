"""Restart: plans the next attempt.

Its number is stored before it is dispatched (write-ahead): the record may be lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.status.details import next_attempt
from reconstruction_operator.planning.times import after, backoff, whole

_FREE_LOSSES = 2  # consecutive attempts that Redis may lose before the next one waits


def another(case: Case, counted: Status, *, due: datetime | None, cause: str) -> Decision:
    """Decide on another attempt, at once or when it is `due`. Its failures come from `counted`.

    Attempts that Redis lost are not counted as failures. From the third consecutive loss a backoff bounds their number.
    """
    losses = (case.stored.redis_losses or 0) + 1 if cause == "REDIS_LOST" else None
    if losses is not None and losses > _FREE_LOSSES:
        pause = backoff(losses - _FREE_LOSSES, case.timing.backoff_seconds, case.timing.backoff_max_seconds)
        due = whole(after(case.now, pause)) if pause > 0 else due
    status = replace(
        next_attempt(case, case.attempt + 1),
        next_attempt_time=due,
        failures=counted.failures,
        failure=counted.failure,
        redis_losses=losses,
    )
    return Decision(JobState.WAITING if due is None else JobState.BACKOFF, status, wake=(due,), cause=cause)


def adopt(case: Case, counted: Status) -> Decision:
    """Follow a record that wants a newer attempt than the stored one: the status is from a backup, or was read late."""
    record = case.seen.record
    sent = record.sent_at if record else None
    status = replace(
        next_attempt(case, case.wanted),
        dispatch_time=whole(sent) if sent else None,
        failures=counted.failures,
        failure=counted.failure,
    )
    if case.job.spec.cancel_confirmed:
        return Decision(JobState.CANCELLING, status)
    return Decision(JobState.QUEUED if sent else JobState.WAITING, status)


def decide(case: Case) -> Decision | None:
    """Follow the record if it wants a newer attempt than the stored one."""
    return adopt(case, case.stored) if case.wanted > case.attempt else None
