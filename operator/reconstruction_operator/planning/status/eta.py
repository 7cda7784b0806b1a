"""Estimated time left of a run: as its model estimates it, or else from the run's pace."""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.records import ProgressReport

_MIN_FRACTION = 0.03  # of the run: below this the pace means nothing
_MIN_ELAPSED_SECONDS = 2.0  # the same
# (below, rounded to): more precision would flicker
_GRAIN_SECONDS = ((30.0, 1), (120.0, 5), (600.0, 10), (3600.0, 60))
_COARSE_GRAIN_SECONDS = 300


def eta_seconds(report: ProgressReport, now: datetime) -> int | None:
    """Return the estimated seconds left, rounded more coarsely the more there are; None if they are unknown.

    The time since the report is subtracted. But silence may mean that the step has slowed down: so the estimate never falls
    below the silence times the fraction that is left.
    """
    reported = min(report.at or now, now)
    rest = report.remaining_seconds
    if rest is None:
        rest = _by_pace(report, reported)
    if rest is None:
        return None
    silence = max(0.0, (now - reported).total_seconds())
    return _rounded(max(rest - silence, silence * _left(report), 0.0))


def _by_pace(report: ProgressReport, reported: datetime) -> float | None:
    """Return the seconds left at the run's pace up to the report; None while the run is too young."""
    if report.started_at is None:
        return None
    elapsed = (reported - report.started_at).total_seconds()
    done = report.fraction - report.base  # since the run resumed
    if not done >= _MIN_FRACTION or elapsed < _MIN_ELAPSED_SECONDS:
        return None
    return elapsed * _left(report) / done


def _left(report: ProgressReport) -> float:
    """Return the fraction that is left; reports outside of 0 to 1 are clamped."""
    return 1.0 - min(1.0, max(0.0, report.fraction))


def _rounded(seconds: float) -> int:
    grain = next((grain for below, grain in _GRAIN_SECONDS if seconds < below), _COARSE_GRAIN_SECONDS)
    return round(seconds / grain) * grain
