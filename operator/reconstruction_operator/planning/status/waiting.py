"""Waiting: why a job does not run, and what is shown of that. One table in the order of precedence.

Column, message, condition and `kubectl recon why` read it, so that they never name different causes. A job whose pool,
parameters or input are refused does not wait: it fails (`rules.validating`, `rules.unstarted`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.scheduling import quarantine


class Kind(enum.StrEnum):
    """What a job waits for. The value is the reason of its condition Dispatched."""

    SUSPENDED = "Suspended"
    BACKOFF = "BackingOff"
    QUEUE_UNSERVED = "QueueUnserved"
    NO_WORKER = "NoWorker"  # its message is in a queue that has lost its workers
    MODEL_UNSERVED = "ModelUnserved"
    REDIS_FULL = "RedisNearlyFull"
    QUARANTINE = "Quarantined"
    QUOTA = "NamespaceQuota"
    ROOM = "Waiting"  # in the dispatch window of its queue
    WORKER = "Dispatched"  # its message is in its queue, and all workers are busy


@dataclass(frozen=True, slots=True)
class Wait:
    """What a job waits for: the kind, a word or two, and a sentence.

    No time that passes, so that an idle job causes no writes.
    """

    kind: Kind
    short: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A kind, the states in which a job may wait for it, whether it does, and its texts."""

    kind: Kind
    state: JobState
    applies: Callable[[Case], object]
    short: Callable[[Case, Decision], str]
    sentence: Callable[[Case, Decision], str]


def wait_of(case: Case, decision: Decision) -> Wait | None:
    """Return what the job waits for: the first row that applies. None for a job that runs, stops or is finished."""
    row = next((row for row in _TABLE if row.state is decision.state and row.applies(case)), None)
    return None if row is None else Wait(row.kind, row.short(case, decision), row.sentence(case, decision))


def _always(_: Case) -> bool:
    return True


def _is_unserved(case: Case) -> bool:
    return case.observed.workers == 0


def _leg_lacks_model(case: Case) -> bool:
    return case.leg is not None and bool(case.observed.no_model)


def _is_quarantined(case: Case) -> bool:
    return quarantine(case.sending, case.stored) is not None


def _word(text: str) -> Callable[[Case, Decision], str]:
    return lambda _case, _decision: text


def _after(_case: Case, decision: Decision) -> str:
    failure = decision.status.failure
    return f"after {failure.reason}" if failure and not decision.status.redis_losses else "Redis lost data"


def _backing_off(case: Case, decision: Decision) -> str:
    status = decision.status
    at_most = status.attempt + max(0, case.job.spec.backoff_limit - status.failures)
    when = format_time(status.next_attempt_time) if status.next_attempt_time else "soon"
    after = f" after {status.failure.reason}" if status.failure else ""
    if status.redis_losses:
        after = f": Redis lost {status.redis_losses} attempts in a row"
    return f"Attempt {status.attempt} of at most {at_most} starts at {when}{after}"


def _unserved(case: Case, _: Decision) -> str:
    return f"Waiting for a worker: no live worker listens to queue {case.sending}{_until(case)}"


def _model(case: Case, _: Decision) -> str:
    return f"{case.observed.no_model}{_until(case)}"


def _redis_full(case: Case, _: Decision) -> str:
    return f"Waiting: Redis is nearly full, and nothing is sent to queue {case.sending} until it has room"


def _in_turn(case: Case, _: Decision) -> str:
    return f"Waiting for its turn in queue {case.sending}: jobs that lost the same worker are tried one at a time"


def _quota(case: Case, _: Decision) -> str:
    namespace = case.job.key.namespace
    return (
        f"Waiting: namespace {namespace} has as many jobs in flight as it may (NAMESPACE_MAX_RUNNING, "
        "NAMESPACE_MAX_HIGH)"
    )


def _place(case: Case, _: Decision) -> str:
    return f"place {case.observed.place.number}" if case.observed.place.number else ""


def _room(case: Case, _: Decision) -> str:
    number = case.observed.place.number
    return f"Waiting for room in queue {case.sending}" + (f": place {number} or better" if number else "")


def _queue(case: Case, _: Decision) -> str:
    return "" if case.leg is None else f"queue {case.leg.queue}"


def _queued(case: Case, _: Decision) -> str:
    leg = case.leg
    if leg is None:
        return f"Waiting in queue {case.sending}"
    tried = f": no worker of queue {leg.instead_of} was free in time" if leg.instead_of else ""
    return f"Waiting for a worker of queue {leg.queue} to make stage {leg.stage}{tried}{_until(case)}"


def _until(case: Case) -> str:
    """Return until when a leg waits for a worker of another queue; empty if it waits as the job does."""
    due = case.leg_deadline
    return f"; at {format_time(due)} the stage goes to queue {case.job.home}" if due else ""


_TABLE: Final = (
    _Row(
        Kind.SUSPENDED,
        JobState.SUSPENDED,
        _always,
        _word(""),
        _word("Suspended: set spec.suspend to false to continue"),
    ),
    _Row(Kind.BACKOFF, JobState.BACKOFF, _always, _after, _backing_off),
    _Row(Kind.QUEUE_UNSERVED, JobState.WAITING, _is_unserved, _word("no worker"), _unserved),
    _Row(Kind.NO_WORKER, JobState.QUEUED, _is_unserved, _word("no worker"), _unserved),
    _Row(Kind.MODEL_UNSERVED, JobState.WAITING, lambda case: case.observed.no_model, _word("no model"), _model),
    _Row(Kind.NO_WORKER, JobState.QUEUED, _leg_lacks_model, _word("no model"), _model),
    _Row(
        Kind.REDIS_FULL, JobState.WAITING, lambda case: case.observed.place.redis_full, _word("Redis full"), _redis_full
    ),
    _Row(Kind.QUARANTINE, JobState.WAITING, _is_quarantined, _word("quarantine"), _in_turn),
    _Row(Kind.QUOTA, JobState.WAITING, lambda case: case.observed.place.over_quota, _word("quota"), _quota),
    _Row(Kind.ROOM, JobState.WAITING, _always, _place, _room),
    _Row(Kind.WORKER, JobState.QUEUED, _always, _queue, _queued),
)
