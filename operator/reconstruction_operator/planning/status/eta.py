"""How long a run will probably still take, from its own pace."""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.contract.records import ProgressReport

_MIN_FRACTION = 0.03  # of the run: below this the pace says nothing yet
_MIN_ELAPSED_SECONDS = 2.0  # the same
_GRAIN_SECONDS = (
    (30.0, 1),
    (120.0, 5),
    (600.0, 10),
    (3600.0, 60),
)  # (below, rounded to): false precision only flickers
_COARSE_GRAIN_SECONDS = 300


def eta_seconds(report: ProgressReport, now: datetime) -> int | None:
    """Seconds that are probably left, rounded more coarsely the more they are; None until there is enough to go on.

    The pace is that of the run so far, up to the report. Since then time has passed, which is taken off; but a step
    that gets slower shows in reports that do not come, so what is left never falls below the silence's own share.
    """
    if report.started_at is None:
        return None
    reported = min(report.at or now, now)
    elapsed = (reported - report.started_at).total_seconds()
    if not report.fraction >= _MIN_FRACTION or elapsed < _MIN_ELAPSED_SECONDS:
        return None
    fraction = min(1.0, report.fraction)
    silence = max(0.0, (now - reported).total_seconds())
    rest = elapsed * (1.0 - fraction) / fraction
    return _rounded(max(rest - silence, silence * (1.0 - fraction), 0.0))


def _rounded(seconds: float) -> int:
    grain = next((grain for below, grain in _GRAIN_SECONDS if seconds < below), _COARSE_GRAIN_SECONDS)
    return round(seconds / grain) * grain
