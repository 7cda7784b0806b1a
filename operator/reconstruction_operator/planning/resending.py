"""Resending: when a missing message is sent again.

The record's `sent_at` is the time of the job's newest message of either kind, an attempt or an order to delete files. So
resends of both kinds are spaced.
"""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.times import backoff, pause_end
from reconstruction_operator.planning.types import Observation, Timing

_LAST_ORDER_SECONDS = 3_600.0  # the longest pause between two orders: each may hang on a dead mount for a minute


def deletion_is_due(record: Record | None, seen: Observation, since: datetime, now: datetime, timing: Timing) -> bool:
    """Return whether to send an order to delete the job's files, needed since `since`.

    A missing order is sent again: it was lost, or a worker could not carry it out. Repeated orders back off.
    """
    if record is None or record.sent_at is None or record.sent_at < since:
        return True
    pause = backoff(record.orders, timing.resend_seconds, _LAST_ORDER_SECONDS)
    return seen.order_missing and pause_end(record.sent_at, pause, now) <= now
