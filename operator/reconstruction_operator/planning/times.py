"""Times and backoff: whole seconds in UTC, as in the status, so that a repeated plan equals the stored status."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.types import Observation, Timing

# The longest pause between two orders to delete files: each may hang on a dead mount for a minute.
_LAST_ORDER_SECONDS = 3_600.0


def whole(moment: datetime) -> datetime:
    """Return the moment in UTC, without fractions of a second."""
    return moment.astimezone(UTC).replace(microsecond=0)


def after(moment: datetime, seconds: float) -> datetime:
    """Return the moment that many seconds later."""
    return moment + timedelta(seconds=seconds)


def pause_end(since: datetime, seconds: float, now: datetime) -> datetime:
    """Return the end of a pause that began at `since`; `now` if that is in the future, since the clock was set back."""
    return now if since > now else after(since, seconds)


def backoff(failures: int, first_seconds: float, max_seconds: float) -> float:
    """Return the seconds to wait after that many consecutive failures (from 1): doubled each time,
    up to `max_seconds`.
    """
    doublings = min(max(0, failures - 1), 64)  # beyond this the maximum holds anyway, and floats would overflow
    return float(min(max_seconds, first_seconds * 2**doublings))


def earliest(moments: Iterable[datetime | None], now: datetime) -> datetime | None:
    """Return the earliest future moment; past ones have been acted on."""
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def deletion_is_due(
    record: Record | None, observed: Observation, since: datetime, now: datetime, timing: Timing
) -> bool:
    """Return whether to send an order to delete the job's files, needed since `since`.

    A missing order is sent again: it was lost, or a worker could not carry it out. Repeated orders back off. The
    record's `sent_at` is the time of the newest message of either kind, an attempt or an order, so resends of both are
    spaced.
    """
    if record is None or not record.orders or record.sent_at is None or record.sent_at < since:
        return True  # without an order, `sent_at` is the attempt's: one that ends at once may end before it is written
    pause = backoff(record.orders, timing.resend_seconds, _LAST_ORDER_SECONDS)
    return observed.order_missing and pause_end(record.sent_at, pause, now) <= now
