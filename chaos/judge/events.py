"""Invariant 6: the receiver of notifications gets the end of each job, and a repeated event has the same id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from chaos.judge.case import Case, problem_if
from chaos.judge.excuses import was_shared

_PHASES: Final[Mapping[str, str]] = {
    "Fine": "Succeeded",
    "Warning": "Succeeded",
    "Simulated": "Succeeded",
    "Failed": "Failed",
    "Cancelled": "Cancelled",
}
"""By the kind of an event that tells an end: the phase of the job."""


def tells_its_end(case: Case) -> Iterator[str]:
    """One event tells the end of the job, unless its user deletes it, or another installation without a receiver ended
    it.
    """
    if case.evidence.events is None:
        return
    events = case.evidence.events.get(case.job.uid, ())
    told = sorted(set(filter(is_end, events)))
    yield problem_if(len(told) > 1, f"several events tell the end: {told}")
    if case.end is None or case.job.deleted_at is not None or was_shared(case.job, case.end.at, case.evidence):
        return
    phases = {_PHASES[_kind(event)] for event in told}
    yield problem_if(phases != {case.end.phase}, f"the job ended {case.end.phase}, but the receiver got {told}")


def is_end(event: str) -> bool:
    """Return whether the event tells an end."""
    return _kind(event) in _PHASES


def _kind(event: str) -> str:
    return event.partition("-")[2]
