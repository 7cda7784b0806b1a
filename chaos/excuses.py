"""What a fault excuses, and for how long: pure functions of the windows in which faults were on.

An excuse is as narrow as it can be. A fault excuses those whom it hit, for its own time, and for the time that the
settings of a run (`scene.SETTINGS`) give to notice that it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaos.evidence import Window
from chaos.journal import ModelRun

OVERTAKEN_SECONDS = 5.0
"""An attempt that was overtaken stops within this time of being able to know."""

CAUSE_SECONDS = 20.0
"""A cut that ended longer ago has nothing to do with an attempt being called lost: its heartbeat has long been back."""

DEAF_SECONDS = 15.0
"""After a fault of the operators, of Redis or of the API server, until a user's word has certainly reached Redis: another
operator leads (LEASE_SECONDS), or the old one was started again, and everything was looked at once."""

LOSS_SECONDS = 20.0
"""After a fault that harms attempts, until the last of them has been called lost and tried again."""


def could_know(run: ModelRun, since: float, windows: Iterable[Window]) -> float | None:
    """When the run could know that it was overtaken, or cancelled, at `since`; None: nobody who was stopped or cut off then.

    That is when the cut is over in which it happened. One that comes within the time that it has to stop puts it off.
    """
    cuts = sorted((one for one in windows if one.cuts and _hits(one, run)), key=lambda one: one.begin)
    earliest = max(run.start, since - CAUSE_SECONDS)
    causes = [one for one in cuts if one.begin <= since and one.end >= earliest]
    if not causes:
        return None
    knows = max(since, *(one.end for one in causes))
    for one in cuts:
        if since < one.begin <= knows + OVERTAKEN_SECONDS:
            knows = max(knows, one.end)
    return knows


def hearing_seconds(begin: float, end: float, windows: Iterable[Window]) -> float:
    """For how much of that time a user's word could reach Redis."""
    deaf = sorted((one.begin, one.end + DEAF_SECONDS) for one in windows if one.deafens)
    heard, at = 0.0, begin
    for first, last in deaf:
        if last <= at or first >= end:
            continue
        heard += max(0.0, first - at)
        at = max(at, last)
    return heard + max(0.0, end - at)


def may_fail(runs: Sequence[ModelRun], end: float, windows: Iterable[Window]) -> bool:
    """Whether some fault may have cost an attempt of that job, which ended then."""
    begin = min((run.start for run in runs), default=end) - LOSS_SECONDS
    return any(one.harms and one.begin <= end and one.end >= begin for one in windows)


def _hits(window: Window, run: ModelRun) -> bool:
    return not window.victims or run.worker in window.victims or str(run.pid) in window.victims
