"""Times and durations: parsed, compared, and in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_MINUTE_SECONDS: Final = 60
_HOUR_SECONDS: Final = 60 * _MINUTE_SECONDS
_DAY_SECONDS: Final = 24 * _HOUR_SECONDS
_EXACT_BELOW_SECONDS: Final = 10 * _MINUTE_SECONDS
_UNIT_SECONDS: Final = {"s": 1, "m": _MINUTE_SECONDS, "h": _HOUR_SECONDS, "d": _DAY_SECONDS}
_PART: Final = re.compile(r"(\d+)([smhd])")


def parse_time(text: object) -> datetime | None:
    """Parse an RFC 3339 time; None for any other value."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def seconds_between(since: datetime | None, until: datetime | None) -> int | None:
    """Return the whole seconds between two times, at least 0; None if one of them is unknown."""
    return None if since is None or until is None else max(0, int((until - since).total_seconds()))


def duration_text(seconds: int | None) -> str:
    """Format a duration as `kubectl get` does: "45s", "1m20s", "12m", "1h5m", "2d3h"; empty for None."""
    if seconds is None:
        return ""
    if seconds < _MINUTE_SECONDS:
        return f"{seconds}s"
    if seconds < _EXACT_BELOW_SECONDS:
        return _two(seconds, "m", "s")
    if seconds < _HOUR_SECONDS:
        return f"{seconds // _MINUTE_SECONDS}m"
    if seconds < _DAY_SECONDS:
        return _two(seconds, "h", "m")
    return _two(seconds, "d", "h")


def parse_duration(text: str) -> int:
    """Parse a duration such as "90", "90s" or "1h30m" into seconds. Raises ValueError."""
    if text.isdigit():
        return int(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'"{text}" is not a duration: write 30s, 10m, 1h30m or 2d')
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _two(seconds: int, big: str, small: str) -> str:
    count, rest = divmod(seconds, _UNIT_SECONDS[big])
    smaller = rest // _UNIT_SECONDS[small]
    return f"{count}{big}{smaller}{small}" if smaller else f"{count}{big}"
