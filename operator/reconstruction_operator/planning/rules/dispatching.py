"""Dispatch of an attempt that no worker has: when its message is sent, and when again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.planning.actions import Dispatch, PutRecord
from reconstruction_operator.planning.case import Case, Decision, Stage
from reconstruction_operator.planning.rules.attempts import grace_end
from reconstruction_operator.planning.rules.resending import resend_time
from reconstruction_operator.planning.status.details import with_attempt
from reconstruction_operator.planning.times import after, whole


def decide(case: Case) -> Decision:
    """The last rule: ensure that a message of the attempt is in its queue.

    - The first message waits until `scheduling` admits the job.
    - A message that Redis lost is sent again after the grace in which a worker may register the attempt.
    - A message that no worker takes although its queue is empty was lost on its way, and is sent again.

    A duplicate is harmless: only one worker can claim the attempt.
    """
    deadlines = (case.active_deadline, case.queue_deadline)
    due = case.stored.next_attempt_time
    if due is not None and due > case.now:
        return Decision(Stage.BACKOFF, with_attempt(case), wake=(due, *deadlines))
    if case.sent_at is None:
        return _send(case, deadlines)
    status = replace(
        with_attempt(case), next_attempt_time=None, dispatch_time=case.stored.dispatch_time or whole(case.sent_at)
    )
    again = resend_time(case.sent_at, case.seen.queue, case.timing)
    look = after(case.now, case.timing.resend_seconds)
    if again is not None and again <= case.now:
        message = Dispatch(case.task, case.queue, again=True)
        return Decision(Stage.QUEUED, status, (message,), (look, *deadlines))
    return Decision(Stage.QUEUED, status, wake=(again, look, *deadlines))


def _send(case: Case, deadlines: tuple[datetime | None, ...]) -> Decision:
    record = () if case.wanted >= case.attempt else (PutRecord(case.attempt, case.job.queue),)
    sent_before = case.stored.dispatch_time is not None
    if sent_before and case.in_grace:
        return Decision(Stage.QUEUED, with_attempt(case), record, (grace_end(case), *deadlines))
    if not case.admitted:
        return Decision(case.idle_stage, with_attempt(case), wake=deadlines, wants_dispatch=True)
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
