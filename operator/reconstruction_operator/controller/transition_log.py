"""Transition log: logs each step of a job once it is stored, and what failed, was skipped or is held back.

Each line has the fields namespace, job (the object's name), uid, attempt and reason.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import ConditionType, Status
from reconstruction_operator.planning.status.events import reason_of
from reconstruction_operator.planning.status.waiting import Kind
from reconstruction_operator.planning.types import Event, Job

_log = logging.getLogger(__name__)

_PROGRESS: Final = "StepStarted"  # an Event that is not a change of the job's state
_IN_LINE: Final = (
    Kind.QUOTA,
    Kind.REDIS_FULL,
)  # shared by many jobs, which change at once; `pauses` logs why a queue waits
# Reasons of conditions that have no Event: the attempt is held back or was asked to stop.
_HELD_BACK: Final = (
    (ConditionType.DISPATCHED, Kind.ROOM),
    (ConditionType.DISPATCHED, Kind.QUEUE_UNSERVED),
    (ConditionType.DISPATCHED, Kind.MODEL_UNSERVED),
    (ConditionType.DISPATCHED, Kind.QUARANTINE),
    (ConditionType.DISPATCHED, Kind.BACKOFF),
    (ConditionType.SUSPENDED, "Suspending"),
)
_NAMED: Final = 10  # maximum jobs named in one line


def log(job: Job, status: Status, events: Sequence[Event]) -> None:
    """Log the change from `job.status` to `status`, which was stored; `events` are those of the change."""
    failure = {"failure": status.failure.reason} if status.failure else {}
    for reason, text in _steps(job.status, status, events):
        log_step(job.key, reason, text, attempt=status.attempt, phase=str(status.phase), **failure)


def _steps(before: Status, status: Status, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    reported = [(event.reason, event.message) for event in events if event.reason != _PROGRESS]
    yield from reported
    held = [str(why) for kind, why in _HELD_BACK if reason_of(before, kind) != why == reason_of(status, kind)]
    usual = before.phase is None or reason_of(before, ConditionType.DISPATCHED) in _IN_LINE
    if usual and Kind.ROOM in held:
        held.remove(Kind.ROOM)  # if it lasts, `pauses` logs why its queue is paused
    yield from ((why, status.message) for why in held)
    if before.phase is not status.phase and not reported and not held:
        yield str(status.phase), f"{before.phase} -> {status.phase}: {status.message}"


def log_step(key: JobRef, reason: str, text: str, **fields: Any) -> None:
    """Log one step of a job on one line."""
    named = {"namespace": key.namespace, "job": key.name, "uid": key.uid}
    _log.info("%s: %s", key, " ".join(text.splitlines()), extra={**named, **fields, "reason": reason})


def log_refusals(refused: Mapping[JobRef, str]) -> None:
    """Log why the actions of these jobs failed, and will be retried: one line for each cause."""
    causes: dict[str, list[JobRef]] = defaultdict(list)
    for key, why in refused.items():
        causes[why].append(key)
    for why, keys in causes.items():
        named = ", ".join(str(key) for key in keys[:_NAMED]) + (", …" if len(keys) > _NAMED else "")
        job = {"namespace": keys[0].namespace, "job": keys[0].name, "uid": keys[0].uid} if len(keys) == 1 else {}
        text = " ".join(why.splitlines())
        _log.warning(
            "%s: failed and will be retried: %s", named, text, extra={**job, "jobs": len(keys), "reason": "Refused"}
        )
