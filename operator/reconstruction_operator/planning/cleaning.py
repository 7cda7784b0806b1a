"""When the order to delete a job's files is given, and given again: it is a message, and messages can be lost.

The record's `sent_at` is the time of the job's newest message of any kind: who carries out `DeleteFiles` notes it there
(`mark_sent`), which keeps the orders apart.
"""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.planning.dispatching import RESEND_ANYWAY_SECONDS
from reconstruction_operator.planning.times import after
from reconstruction_operator.planning.types import Limits, Queue, Record


def order_due(record: Record | None, queue: Queue, since: datetime, now: datetime, limits: Limits) -> datetime | None:
    """When an order may be given that has been wanted since `since`; None: at once.

    The first goes at once. It is repeated when it must have been lost (nothing waits in the queue), or after a long time.
    """
    if record is None or record.sent_at is None or record.sent_at < since or record.sent_at > now:
        return None
    pause = limits.resend_seconds if queue.waiting == 0 else max(RESEND_ANYWAY_SECONDS, limits.resend_seconds)
    return after(record.sent_at, pause)
