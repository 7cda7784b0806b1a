"""Resending: when a message must have been lost on its way, and is sent again.

The record's `sent_at` is the time of the job's newest message of either kind, an attempt or an order to delete files. So
resends of both kinds are spaced.
"""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.times import after, backoff
from reconstruction_operator.planning.types import Queue, Timing

_LAST_ORDER_SECONDS = 3_600.0  # at most between two orders: each may hang on a dead mount for a minute
RESEND_ANYWAY_SECONDS = 900.0  # a message that waits this long in a queue that is never empty may be lost as well


def resend_time(sent_at: datetime, queue: Queue, timing: Timing) -> datetime | None:
    """When an unclaimed message is sent again; None while it surely waits: no worker consumes its queue."""
    if queue.waiting == 0:
        return after(sent_at, timing.resend_seconds)
    if queue.workers == 0:
        return None
    return after(sent_at, max(RESEND_ANYWAY_SECONDS, timing.resend_seconds))


def deletion_is_due(record: Record | None, queue: Queue, since: datetime, now: datetime, timing: Timing) -> bool:
    """Whether to send an order to delete the job's files, which has been wanted since `since`. Repeated orders back off."""
    if record is None or record.sent_at is None or record.sent_at < since:
        return True
    again = resend_time(record.sent_at, queue, timing)
    if again is None:
        return False
    pause = backoff(record.orders, timing.resend_seconds, _LAST_ORDER_SECONDS)
    return max(again, after(record.sent_at, pause)) <= now
