"""When the order to delete a job's files is given, and given again: it is a message, and messages can be lost.

The record's `sent_at` is the time of the job's newest message of any kind: who carries out `DeleteFiles` notes it there
(`mark_sent`), which keeps the orders apart.
"""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.rules.dispatching import resend_time
from reconstruction_operator.planning.types import Queue, Timing


def order_is_due(record: Record | None, queue: Queue, since: datetime, now: datetime, timing: Timing) -> bool:
    """Whether to give an order that has been wanted since `since`.

    The first goes at once. It is repeated, as an attempt's message is, when it must have been lost.
    """
    if record is None or record.sent_at is None or record.sent_at < since:
        return True
    again = resend_time(record.sent_at, queue, timing)
    return again is not None and again <= now
