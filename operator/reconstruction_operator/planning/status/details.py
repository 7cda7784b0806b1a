"""Details of the status that several rules set, each in one way."""

from __future__ import annotations

from dataclasses import replace

from reconstruction_operator.api.status import Failure, Inputs, Status
from reconstruction_operator.contract.outcomes import reason
from reconstruction_operator.planning.actions import Action, ForceEnd, TakeClaim
from reconstruction_operator.planning.case import Case, Stage
from reconstruction_operator.planning.status.progress import halted
from reconstruction_operator.planning.times import whole

_MESSAGE_CHARACTERS = 2_000  # of a worker's message; the schema takes 4,096 with all that is put around it


def with_attempt(case: Case) -> Status:
    """The stored status, with the attempt that was observed named in it if there is anything of it."""
    if not case.touched and case.seen.end is None:
        return case.stored
    return replace(case.stored, attempt=case.attempt, task_id=str(case.task))


def claimed(case: Case) -> Status:
    """The status of an attempt that a worker has: who, and since when. The first start is kept over later attempts."""
    claim = case.seen.claim
    if claim is None:
        return with_attempt(case)
    began = whole(claim.at)
    sent = case.seen.record.sent_at if case.seen.record else None
    return replace(
        with_attempt(case),
        worker=claim.owner or None,
        next_attempt_time=None,
        dispatch_time=case.stored.dispatch_time or (whole(sent) if sent else began),
        start_time=case.stored.start_time or began,
        inputs=read_inputs(case),
    )


def read_inputs(case: Case) -> Inputs | None:
    """What was read, as the end says, else the newest report, else as it is stored."""
    end, report = case.seen.end, case.seen.progress
    return (end and end.inputs) or (report and report.inputs) or case.stored.inputs


def next_attempt(case: Case, attempt: int) -> Status:
    """The status of an attempt that has only been decided: nothing of an earlier one but the failure and the photos."""
    return replace(
        case.stored,
        attempt=attempt,
        task_id=str(replace(case.task, attempt=attempt)),
        worker=None,
        next_attempt_time=None,
        dispatch_time=None,
        progress=None,
    )


def at_rest(case: Case) -> Status:
    """The status of a job of which nothing runs, and that goes on from the beginning once it is resumed."""
    return replace(
        with_attempt(case),
        worker=None,
        next_attempt_time=None,
        start_time=None,
        progress=halted(case.stored.progress),
    )


def resting_stage(case: Case) -> Stage:
    """The stage of an attempt that no worker has."""
    record = case.seen.record
    sent = record is not None and record.attempt == case.attempt and record.sent_at is not None
    if sent or case.stored.dispatch_time is not None:
        return Stage.QUEUED
    due = case.stored.next_attempt_time
    return Stage.BACKOFF if due is not None and due > case.now else Stage.WAITING


def closing(case: Case, end: TakeClaim) -> tuple[Action, ...]:
    """What ends an attempt that no worker has, so that none ever begins it."""
    if case.closed:  # the operator's claim is there already, and its end was lost
        return (ForceEnd(end.task, end.outcome, end.reason, end.message),)
    return (end,)


def failure_of(code: str, message: str) -> Failure:
    """Why an attempt failed: the worker's words with its numbers, and then what can be done."""
    its = reason(code)
    words = message.strip()
    if len(words) > _MESSAGE_CHARACTERS:
        words = words[: _MESSAGE_CHARACTERS - 1] + "…"
    if its.advice not in words:
        words = f"{words}{'' if not words or words.endswith(('.', '!', '?', '…')) else '.'} {its.advice}".strip()
    return Failure(reason=its.code, message=words, retriable=its.retriable)
