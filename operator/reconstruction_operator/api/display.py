"""Display texts: percentages and durations for people."""

from __future__ import annotations

_MINUTE_SECONDS = 60
_HOUR_SECONDS = 60 * _MINUTE_SECONDS
_DAY_SECONDS = 24 * _HOUR_SECONDS
_EXACT_BELOW_SECONDS = 10 * _MINUTE_SECONDS  # longer estimates are not exact to the second


def percent_text(percent: float) -> str:
    """Return a percentage in tenths, as `.status.progress.display`: "43.7%", "60%"."""
    return f"{round(percent, 1):g}%"


def duration_text(seconds: int) -> str:
    """Return a duration as kubectl writes ages, as `.status.progress.eta`: "45s", "1m20s", "12m", "1h5m", "2d3h"."""
    seconds = max(0, seconds)
    if seconds < _MINUTE_SECONDS:
        return f"{seconds}s"
    if seconds < _EXACT_BELOW_SECONDS:
        return _two(seconds, _MINUTE_SECONDS, "m", 1, "s")
    if seconds < _HOUR_SECONDS:
        return f"{seconds // _MINUTE_SECONDS}m"
    if seconds < _DAY_SECONDS:
        return _two(seconds, _HOUR_SECONDS, "h", _MINUTE_SECONDS, "m")
    return _two(seconds, _DAY_SECONDS, "d", _HOUR_SECONDS, "h")


def _two(seconds: int, big_seconds: int, big: str, small_seconds: int, small: str) -> str:
    count, rest = divmod(seconds, big_seconds)
    smaller = rest // small_seconds
    return f"{count}{big}{smaller}{small}" if smaller else f"{count}{big}"
