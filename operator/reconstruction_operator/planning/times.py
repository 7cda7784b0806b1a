"""Times and backoff: whole seconds in UTC, as in the status, so that a repeated plan equals the stored status."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta


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
    """Return the seconds to wait after that many consecutive failures (from 1): doubled each time, up to `max_seconds`."""
    doublings = min(max(0, failures - 1), 64)  # beyond this the maximum holds anyway, and floats would overflow
    return float(min(max_seconds, first_seconds * 2**doublings))


def earliest(moments: Iterable[datetime | None], now: datetime) -> datetime | None:
    """Return the earliest future moment; past ones have been acted on."""
    return min((moment for moment in moments if moment is not None and moment > now), default=None)
