"""Progress of the status, from a worker's reports: never backwards, debounced, and with an estimate
of the time left.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final

from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.display import duration_text, percent_text
from reconstruction_operator.api.status import ConditionType, Status
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.contract.steps import STEP_COUNT, STEPS
from reconstruction_operator.planning.times import pause_end, whole
from reconstruction_operator.planning.types import Timing

_ETA_CHANGE_SECONDS = 5  # a change below this is not worth a write
_ETA_CHANGE_SHARE = 0.1  # share of the old estimate; a smaller change is not worth a write
_DONE_PERCENT = 100
_TENTHS_SECONDS = 4.0  # between writes for less than a percent: often enough to be seen to move
_MIN_FRACTION = 0.03  # of the run: below this the pace means nothing
_MIN_ELAPSED_SECONDS = 2.0  # the same
# (below, rounded to): more precision would flicker
_GRAIN_SECONDS = ((30.0, 1), (120.0, 5), (600.0, 10), (3600.0, 60))
_COARSE_GRAIN_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Advance:
    """The progress of a run.

    `text` is its message, None to keep the stored one; `wake_at` is set if a change is held back.
    """

    progress: Progress | None
    text: str | None
    wake_at: datetime | None = None


def advance(
    stored: Status, report: ProgressReport | None, now: datetime, timing: Timing, *, show_text: bool = True
) -> Advance:
    """Return the stored progress of the attempt, advanced by the newest report.

    `show_text`: its text is the job's message.

    - A report that is behind the stored progress changes nothing.
    - A new step is written at once.
    - Whole percents and text within a step are written at most once in `timing.progress_seconds`, tenths of a percent
      more rarely.
    - An estimate alone is written only if it changed noticeably.
    """
    old = stored.progress
    running = stored.condition(ConditionType.RUNNING)
    began = running is not None and running.status == "True"
    if report is None or (old is not None and (report.percent < old.percent or report.step_index < old.step_index)):
        return Advance(old, stored.message if began else None)
    text = f"{report.step}: {report.message}" if report.message else report.step
    new = _shown(report, now)
    if old is not None:
        if began and new.step_index == old.step_index:
            urgent = (
                new.percent != old.percent
                or (show_text and text != stored.message)
                or _noticeable(old.eta_seconds, new.eta_seconds)
            )
            seconds = timing.progress_seconds if urgent else max(timing.progress_seconds, _TENTHS_SECONDS)
            due = pause_end(old.last_update_time, seconds, now) if old.last_update_time else now
            if due > now and (urgent or new.display != old.display):
                return Advance(old, stored.message, due)
        differs = _besides_times(old) != _besides_times(new) or _noticeable(old.eta_seconds, new.eta_seconds)
        if not differs and (text == stored.message or not began or not show_text):
            return Advance(old, text)
    return Advance(new, text)


def done(stored: Status, now: datetime, resumed_from: str = "") -> Progress:
    """Return the progress of a job that has succeeded; `resumed_from` as in its end."""
    last = STEPS[-1]
    changed = stored.progress is None or stored.progress.percent != _DONE_PERCENT
    when = whole(now) if changed or stored.progress is None else stored.progress.last_update_time
    return Progress(
        percent=_DONE_PERCENT,
        step_index=last.index,
        step_count=STEP_COUNT,
        display=percent_text(_DONE_PERCENT),
        resumed_from=resumed_from or (stored.progress.resumed_from if stored.progress else ""),
        last_update_time=when,
    )


def halted(progress: Progress | None) -> Progress | None:
    """Return the progress of a run that has stopped: without a step and an estimate."""
    return progress and replace(progress, step="", eta_seconds=None, eta="")


def _shown(report: ProgressReport, now: datetime) -> Progress:
    percent = max(0.0, min(float(_DONE_PERCENT), report.percent))
    eta = eta_seconds(report, now)
    return Progress(
        percent=int(percent),
        step=report.step,
        step_index=report.step_index,
        step_count=STEP_COUNT,
        eta_seconds=eta,
        eta="" if eta is None else duration_text(eta),
        display=percent_text(percent),
        resumed_from=report.findings.resumed_from,
        last_update_time=whole(now),
    )


_besides_times: Final = operator.attrgetter(
    *(field.name for field in fields(Progress) if field.name not in ("eta_seconds", "eta", "last_update_time"))
)


def _noticeable(old: int | None, new: int | None) -> bool:
    if old is None or new is None:
        return old != new
    return abs(new - old) >= max(_ETA_CHANGE_SECONDS, old * _ETA_CHANGE_SHARE)


def eta_seconds(report: ProgressReport, now: datetime) -> int | None:
    """Return the estimated seconds left, rounded more coarsely the more there are; None if they are unknown.

    The time since the report is subtracted. But silence may mean that the step has slowed down: so the estimate never
    falls below the silence times the fraction that is left.
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
