"""Transition log: a line for each step of a job's life, once it is stored, and for what is refused, skipped or held back.

Each line has the fields namespace, job (the object's name), uid, attempt and reason.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import ConditionType, Status
from reconstruction_operator.planning.types import Event, Job

_log = logging.getLogger(__name__)

_PROGRESS: Final = "StepStarted"  # an Event, and no change of the job's state
_WAITING: Final = "Waiting"
# Reasons of conditions that have no Event: the attempt is held back or was asked to stop.
_HELD_BACK: Final = (
    (ConditionType.DISPATCHED, _WAITING),
    (ConditionType.DISPATCHED, "QueueUnserved"),
    (ConditionType.DISPATCHED, "ModelUnserved"),
    (ConditionType.DISPATCHED, "BackingOff"),
    (ConditionType.SUSPENDED, "Suspending"),
)
_NAMED: Final = 10  # of the jobs in one line


def log(job: Job, status: Status, events: Sequence[Event]) -> None:
    """Log the change from `job.status` to `status`, which was stored; `events` are those of the change."""
    failure = {"failure": status.failure.reason} if status.failure else {}
    for reason, text in _steps(job.status, status, events):
        log_step(job.key, reason, text, attempt=status.attempt, phase=str(status.phase), **failure)


def _steps(before: Status, status: Status, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    reported = [(event.reason, event.message) for event in events if event.reason != _PROGRESS]
    yield from reported
    held = [why for kind, why in _HELD_BACK if _reason(before, kind) != why == _reason(status, kind)]
    if (
        before.phase is None and _WAITING in held
    ):  # usual for a moment; if it lasts, `admission` logs why its queue is paused
        held.remove(_WAITING)
    yield from ((why, status.message) for why in held)
    if before.phase is not status.phase and not reported and not held:
        yield str(status.phase), f"{before.phase} -> {status.phase}: {status.message}"


def log_step(key: JobKey, reason: str, text: str, **fields: Any) -> None:
    """Log one step."""
    named = {"namespace": key.namespace, "job": key.name, "uid": key.uid}
    _log.info("%s: %s", key, " ".join(text.splitlines()), extra={**named, **fields, "reason": reason})


def log_refusals(refused: Mapping[JobKey, str]) -> None:
    """Log what could not be done for these jobs, and will be retried; one line for each cause."""
    causes: dict[str, list[JobKey]] = defaultdict(list)
    for key, why in refused.items():
        causes[why].append(key)
    for why, keys in causes.items():
        named = ", ".join(str(key) for key in keys[:_NAMED]) + (", …" if len(keys) > _NAMED else "")
        its = {"namespace": keys[0].namespace, "job": keys[0].name, "uid": keys[0].uid} if len(keys) == 1 else {}
        text = " ".join(why.splitlines())
        _log.warning("%s: not done and retried: %s", named, text, extra={**its, "jobs": len(keys), "reason": "Refused"})


def _reason(status: Status, kind: ConditionType) -> str:
    condition = status.condition(kind)
    return condition.reason if condition else ""
