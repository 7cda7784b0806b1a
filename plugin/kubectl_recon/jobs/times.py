"""Times and durations: parsed, compared, and in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.api import display

_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PART: Final = re.compile(r"(\d+)([smhd])")


def parse_time(text: object) -> datetime | None:
    """Parse an RFC 3339 time; None for any other value."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def seconds_between(since: datetime | None, until: datetime | None) -> int | None:
    """Return the whole seconds between two times, at least 0; None if one of them is unknown."""
    return None if since is None or until is None else max(0, int((until - since).total_seconds()))


def duration_text(seconds: int | None) -> str:
    """Format a duration as `kubectl get` does: "45s", "1m20s", "12m", "1h5m", "2d3h"; empty for None."""
    return "" if seconds is None else display.duration_text(seconds)


def parse_duration(text: str) -> int:
    """Parse a duration such as "90", "90s" or "1h30m" into seconds. Raises ValueError."""
    if text.isdigit():
        return int(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'"{text}" is not a duration: write 30s, 10m, 1h30m or 2d')
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)
