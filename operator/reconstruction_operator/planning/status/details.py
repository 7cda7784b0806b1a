"""Status details: the fields that several rules set."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from reconstruction_operator.api.attempt_status import Inputs, Progress
from reconstruction_operator.api.fitting import cut
from reconstruction_operator.api.status import Failure, Status
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import reason
from reconstruction_operator.planning.case import Case
from reconstruction_operator.planning.status.progress import advance, halted
from reconstruction_operator.planning.times import whole

T = TypeVar("T")

_SHOWN = frozenset(part.name for part in fields(Findings)) & {part.name for part in fields(Status)}
_MESSAGE_CHARACTERS = 2_000  # of a worker's message; the schema allows 4,096 with the text around it


def updated(status: Status, **fields: Any) -> Status:
    """Return `status` updated with these fields, or `status` itself if nothing changes (copying is slow)."""
    is_changed = any(getattr(status, name) != value for name, value in fields.items())
    return replace(status, **fields) if is_changed else status


def first_known(*values: T | None) -> T | None:
    """Return the first of these values that is known, from the best source to the worst."""
    return next((value for value in values if value), None)


def with_attempt(case: Case) -> Status:
    """Return the stored status, with the observed attempt if a queue or a worker may hold something of it."""
    if not case.touched and case.seen.end is None:
        return case.stored
    status, leg = case.stored, case.leg
    if leg is not status.leg:
        status = replace(status, leg=leg, worker=None)
        if case.seen.record is not None and case.seen.record.found is not None:
            status = with_findings(status, case.seen.record.found)
    if case.observed.is_between_legs(case.job):
        status = updated(status, progress=_left_at(case))
    return updated(status, attempt=case.attempt, task_id=case.task.task_id)


def _left_at(case: Case) -> Progress | None:
    """Return how far the leg before came. Its last report may arrive after its end."""
    old = halted(case.stored.progress)
    at_once = replace(case.timing, progress_seconds=0.0)
    new = halted(advance(case.stored, case.observed.progress, case.now, at_once, show_text=False).progress)
    is_same = old is not None and new is not None and replace(new, last_update_time=old.last_update_time) == old
    return old if is_same else new


def claimed(case: Case) -> Status:
    """Return the status of an attempt that a worker runs. The job keeps its first start over later attempts."""
    claim = case.seen.claim
    if claim is None:
        return with_attempt(case)
    began = whole(claim.at)
    sent = case.seen.record.sent_at if case.seen.record else None
    return updated(
        with_attempt(case),
        worker=claim.owner or None,
        next_attempt_time=None,
        dispatch_time=first_known(case.stored.dispatch_time, whole(sent) if sent else None, began),
        start_time=first_known(case.stored.start_time, began),
        inputs=read_inputs(case),
    )


def read_inputs(case: Case) -> Inputs | None:
    """Return the inputs as the end reports them, else the newest progress report, else the stored status."""
    end, report = case.seen.end, case.observed.progress
    sources = [source.findings.inputs for source in (end, report) if source is not None]
    return first_known(*sources, case.stored.inputs)


def with_findings(status: Status, findings: Findings) -> Status:
    """Return the status with what a run has found; other facts stay."""
    return updated(status, **{name: getattr(findings, name) or getattr(status, name) for name in _SHOWN})


def next_attempt(case: Case, attempt: int) -> Status:
    """Return the status of an attempt that is decided and not dispatched yet.

    It keeps the last failure and the inputs.
    """
    return replace(
        case.stored,
        attempt=attempt,
        task_id=replace(case.task, number=attempt).task_id,
        worker=None,
        leg=None,
        next_attempt_time=None,
        dispatch_time=None,
        progress=None,
        steps=(),
        usage=None,
        parts=None,
        quality={},
    )


def at_rest(case: Case) -> Status:
    """Return the status of a suspended job."""
    return replace(
        with_attempt(case), worker=None, next_attempt_time=None, start_time=None, progress=halted(case.stored.progress)
    )


def failure_of(code: str, message: str) -> Failure:
    """Return why an attempt failed: the worker's message, then the advice for that reason."""
    cause = reason(code)
    words = cut(message.strip(), _MESSAGE_CHARACTERS)
    if cause.advice not in words:
        words = f"{words}{'' if not words or words.endswith(('.', '!', '?', '…')) else '.'} {cause.advice}".strip()
    return Failure(reason=cause.code, message=words, retriable=cause.retriable)
