"""Notifications: which events of a job a receiver outside the cluster gets.

They are the outbox: one write stores them and the status that they are about, so no job ends without its event.
`controller.notifications` sends them, and marks them as sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from reconstruction_operator.api.notification import CANCEL_REQUESTED, WAITING, Notification, NotificationState
from reconstruction_operator.api.status import ConditionType
from reconstruction_operator.api.verdict import Verdict
from reconstruction_operator.planning.case import Case, JobState
from reconstruction_operator.planning.times import after

_MOST: Final = 16  # as the schema; the last one is for the end
_WAITS: Final = frozenset({JobState.WAITING, JobState.BACKOFF, JobState.QUEUED})


def notifications(case: Case, state: JobState, attempt: int, verdict: Verdict | None) -> tuple[Notification, ...]:
    """Return the notifications of a job with this state and verdict, in order: each kind once an attempt."""
    stored = case.stored.notifications
    if not case.timing.notified(case.job.key.namespace):
        return stored
    known = {(one.kind, one.attempt) for one in stored}
    added = [
        Notification(kind, attempt, case.at) for kind in _kinds(case, state, verdict) if (kind, attempt) not in known
    ]
    if not added:
        return stored
    kept = [one for one in stored if one.attempt == attempt or one.state is NotificationState.PENDING]
    return (*kept, *added)[: _MOST if state.final else _MOST - 1]


def long_wait_at(case: Case, state: JobState) -> datetime | None:
    """Return when the wait of a job is long; None: it does not wait, or is not asked."""
    seconds = case.timing.notification_wait_seconds
    if not seconds or state not in _WAITS or not case.timing.notified(case.job.key.namespace):
        return None
    running = case.stored.condition(ConditionType.RUNNING)
    ran = running.last_transition_time if running is not None else None
    return after(max(case.waiting_since, ran or case.waiting_since), seconds)


def _kinds(case: Case, state: JobState, verdict: Verdict | None) -> Iterator[str]:
    spec = case.job.spec
    if verdict is not None and state.final:
        yield verdict.value
    if state.final:
        return
    if spec.cancel_requested and not spec.cancel_confirmed:
        yield CANCEL_REQUESTED
    due = long_wait_at(case, state)
    if due is not None and due <= case.now:
        yield WAITING
