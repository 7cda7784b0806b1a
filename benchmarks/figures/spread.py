"""Spread: percentiles of many values, as figures."""

from __future__ import annotations

from collections.abc import Sequence

_HUNDRED = 100


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    index = max(0, -(-len(ordered) * percent // _HUNDRED) - 1)
    return ordered[int(index)]


def percentiles(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return the figures `NAME p50, s` and `NAME p99, s`; none without values."""
    return {f"{name} p{percent}, s": percentile(values, percent) for percent in (50, 99)} if values else {}
