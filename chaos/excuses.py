"""What a fault excuses, and for how long: pure functions of the windows in which faults were on.

An excuse is as narrow as it can be. A fault excuses those whom it hit, for its own time, and for the time that the
settings of a run (`scene.SETTINGS`) give to notice that it is over (`evidence.Bounds`).
"""

from __future__ import annotations

from chaos.evidence import Evidence, Window
from chaos.journal import ModelRun


def could_know(run: ModelRun, since: float, evidence: Evidence) -> float | None:
    """When the run could know that it was overtaken, or cancelled, at `since`; None: nobody was stopped or cut off then.

    That is when the cut is over in which it happened. One that comes within the time that it has to stop puts it off.
    """
    bounds = evidence.bounds
    cuts = sorted((one for one in evidence.windows if one.cuts and _hits(one, run)), key=lambda one: one.begin)
    earliest = max(run.start, since - bounds.cause)
    causes = [one for one in cuts if one.begin <= since and one.end >= earliest]
    if not causes:
        return None
    knows = max(since, *(one.end for one in causes))
    for one in cuts:
        if since < one.begin <= knows + bounds.overtaken:
            knows = max(knows, one.end)
    return knows


def hearing_seconds(begin: float, end: float, evidence: Evidence) -> float:
    """For how much of that time a user's word could reach Redis."""
    deaf = sorted((one.begin, one.end + evidence.bounds.deaf) for one in evidence.windows if one.deafens)
    heard, at = 0.0, begin
    for first, last in deaf:
        if last <= at or first >= end:
            continue
        heard += max(0.0, first - at)
        at = max(at, last)
    return heard + max(0.0, end - at)


def may_fail(begin: float, end: float, evidence: Evidence) -> bool:
    """Whether some fault may have cost an attempt of a job that was there in this time."""
    loss = evidence.bounds.loss
    return any(one.harms and one.begin <= end and one.end >= begin - loss for one in evidence.windows)


def _hits(window: Window, run: ModelRun) -> bool:
    return not window.victims or run.worker in window.victims or str(run.pid) in window.victims
