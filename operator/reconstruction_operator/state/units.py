"""Seconds of the settings as whole milliseconds, which Redis's TTLs take."""

from __future__ import annotations


def milliseconds(seconds: float) -> int:
    """At least 1: Redis refuses a TTL of 0."""
    return max(1, round(seconds * 1000))
