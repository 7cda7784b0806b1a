"""Dispatching: when the message of an attempt that no worker runs is sent, and when it is sent again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.attempt import Findings, Legs
from reconstruction_operator.planning.actions import Dispatch
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.rules.attempts import grace_end, put_record
from reconstruction_operator.planning.status.details import with_attempt
from reconstruction_operator.planning.times import pause_end, whole


def decide(case: Case) -> Decision:
    """Ensure, as the last rule, that a message of the attempt is in its queue.

    - Every message waits until `scheduling` admits the job, so that the dispatch window holds.
    - The status is written after the message was sent. If it is lost, the record shows that, or a second message is
      sent.
    - A job whose model no worker of its queue has is not dispatched: it would fail.
    - A message is sent again only if it is known to be missing, and not during the grace period in which a worker may
      register the attempt.

    A duplicate is harmless: only one worker can claim the attempt.
    """
    deadlines = (case.active_deadline, case.queue_deadline, case.leg_deadline)
    due = case.stored.next_attempt_time
    if due is not None and due > case.now:
        return Decision(JobState.BACKOFF, with_attempt(case), wake=(due, *deadlines))
    again = case.sent_at is not None or case.stored.dispatch_time is not None
    if again:
        status = replace(
            with_attempt(case),
            next_attempt_time=None,
            dispatch_time=case.stored.dispatch_time or (whole(case.sent_at) if case.sent_at else None),
        )
        wait = _wait(case)
        if wait is not None:
            return Decision(JobState.QUEUED, status, put_record(case), (*wait, *deadlines))
    else:
        status = with_attempt(case)
        if case.observed.no_model:
            return Decision(case.idle_state, status, wake=deadlines)
    return Decision(case.idle_state, status, put_record(case) if again else (), deadlines, wants_dispatch=True)


def dispatch(case: Case) -> Decision:
    """Send the message, since the job is admitted."""
    sent_at = case.stored.dispatch_time or (whole(case.sent_at) if case.sent_at else None)
    status = replace(
        with_attempt(case),
        attempt=case.attempt,
        task_id=case.task.task_id,
        next_attempt_time=None,
        dispatch_time=sent_at or case.at,
    )
    leg = case.leg
    own = case.queue if case.wanted >= case.attempt else case.job.home
    retained = case.timing.retention(case.job.spec)
    task = replace(case.task, queue=own if leg is None else leg.queue)
    again, legs = sent_at is not None and not case.unsent, _legs(case, status)
    message = Dispatch(task, again=again, retain_seconds=retained, legs=legs)
    deadlines = (case.active_deadline, case.queue_deadline, case.leg_deadline)
    return Decision(JobState.QUEUED, status, (*put_record(case), message), deadlines)


def _legs(case: Case, status: Status) -> Legs | None:
    """Return where the stages of the attempt run, and which leg begins; None if all run on the job's own queue."""
    spec, leg, queues = case.job.spec, case.leg, dict(case.timing.stage_queues(case.job))
    if leg is None and not queues:
        return None
    legs = Legs(queues, spec.queue, of_pool=not spec.stage_queues)
    if leg is None:
        return legs
    before = Findings(steps=status.steps, usage=status.usage)
    return replace(legs, number=leg.number, stage=leg.stage, before=before)


def _wait(case: Case) -> tuple[datetime, ...] | None:
    """Return when to check a sent message again. None if it is missing and must be resent now, or of a new leg."""
    if case.unsent:
        return None
    if case.sent_at is None and case.in_grace:
        return (grace_end(case),)
    if not case.observed.missing:
        return ()  # a search of the queues finds missing messages, and enqueues their jobs
    due = pause_end(case.sent_at, case.timing.resend_seconds, case.now) if case.sent_at is not None else case.now
    return (due,) if due > case.now else None
