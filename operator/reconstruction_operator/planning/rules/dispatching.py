"""An attempt that no worker has: when its message is sent, and when it is sent again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.planning.actions import Dispatch, PutRecord
from reconstruction_operator.planning.case import Case, Decision, Stage
from reconstruction_operator.planning.rules.deadlines import active_deadline, queue_deadline
from reconstruction_operator.planning.status.details import resting_stage, with_attempt
from reconstruction_operator.planning.times import after, whole
from reconstruction_operator.planning.types import Queue, Timing

RESEND_ANYWAY_SECONDS = 900.0  # a message that waits this long in a queue that is never empty may be lost as well


def decide(case: Case) -> Decision:
    """The last rule: nothing else is to be done but to see that a message of the attempt lies in its queue.

    The first message waits until `scheduling` admits the job. One that Redis has forgotten is sent again after the
    grace in which a worker that runs the attempt may register; and one that nobody takes although its queue is empty
    is sent again as well, since messages can be lost on the way. A permanent claim makes that safe.
    """
    deadlines = (active_deadline(case), queue_deadline(case))
    due = case.stored.next_attempt_time
    if due is not None and due > case.now:
        return Decision(Stage.BACKOFF, with_attempt(case), wake=(due, *deadlines))
    sent_at = _sent_at(case)
    if sent_at is None:
        return _send(case, deadlines)
    status = replace(
        with_attempt(case), next_attempt_time=None, dispatch_time=case.stored.dispatch_time or whole(sent_at)
    )
    again = resend_time(sent_at, case.seen.queue, case.timing)
    if again is not None and again <= case.now:
        message = Dispatch(case.task, case.job.queue, again=True)
        soon = after(case.now, case.timing.resend_seconds)
        return Decision(Stage.QUEUED, status, (message,), (soon, *deadlines))
    look = after(case.now, case.timing.resend_seconds)
    return Decision(Stage.QUEUED, status, wake=(again or look, look, *deadlines))


def resend_time(sent_at: datetime, queue: Queue, timing: Timing) -> datetime | None:
    """When a message that nobody has taken is sent again; None while it surely waits (nobody listens to its queue)."""
    if queue.waiting == 0:
        return after(sent_at, timing.resend_seconds)
    if queue.workers == 0:
        return None
    return after(sent_at, max(RESEND_ANYWAY_SECONDS, timing.resend_seconds))


def _send(case: Case, deadlines: tuple[datetime | None, ...]) -> Decision:
    record = () if case.wanted >= case.attempt else (PutRecord(case.attempt, case.job.queue),)
    sent_before = case.stored.dispatch_time is not None
    if sent_before and case.in_grace:
        left = case.timing.epoch_grace_seconds - case.seen.epoch_age_seconds
        grace_end = after(case.now, max(0.0, left) + 1.0)
        return Decision(Stage.QUEUED, with_attempt(case), record, (grace_end, *deadlines))
    if not case.admitted:
        return Decision(resting_stage(case), with_attempt(case), wake=deadlines, wants_dispatch=True)
    message = Dispatch(case.task, case.job.queue, again=sent_before)
    status = replace(
        case.stored,
        attempt=case.attempt,
        task_id=str(case.task),
        next_attempt_time=None,
        dispatch_time=case.stored.dispatch_time or case.at,
    )
    look = after(case.now, case.timing.resend_seconds)
    return Decision(Stage.QUEUED, status, (*record, message), (look, *deadlines))


def _sent_at(case: Case) -> datetime | None:
    record = case.seen.record
    return record.sent_at if record is not None and record.attempt == case.attempt else None
