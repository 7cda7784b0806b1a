"""Estimated time left of a run, from its own pace."""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.records import ProgressReport

_MIN_FRACTION = 0.03  # of the run: below this the pace says nothing
_MIN_ELAPSED_SECONDS = 2.0  # the same
_GRAIN_SECONDS = (
    (30.0, 1),
    (120.0, 5),
    (600.0, 10),
    (3600.0, 60),
)  # (below, rounded to): more precision would only flicker
_COARSE_GRAIN_SECONDS = 300


def eta_seconds(report: ProgressReport, now: datetime) -> int | None:
    """Estimated seconds left, rounded more coarsely the more they are; None while the run is too young.

    The pace is that of the run up to the report. The time since then is subtracted. But silence may mean that the step has
    slowed down: so the estimate never falls below the silence times the fraction that is left.
    """
    if report.started_at is None:
        return None
    reported = min(report.at or now, now)
    elapsed = (reported - report.started_at).total_seconds()
    done = report.fraction - report.base  # since it went on from an earlier attempt's stage
    if not done >= _MIN_FRACTION or elapsed < _MIN_ELAPSED_SECONDS:
        return None
    fraction = min(1.0, report.fraction)
    silence = max(0.0, (now - reported).total_seconds())
    rest = elapsed * (1.0 - fraction) / done
    return _rounded(max(rest - silence, silence * (1.0 - fraction), 0.0))


def _rounded(seconds: float) -> int:
    grain = next((grain for below, grain in _GRAIN_SECONDS if seconds < below), _COARSE_GRAIN_SECONDS)
    return round(seconds / grain) * grain
