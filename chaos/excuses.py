"""What a fault excuses, and for how long: pure functions of the windows in which faults were on.

An excuse is as narrow as it can be. A fault excuses those whom it hit, for its own time, and for the time that the
settings of a run (`scene.SETTINGS`) give to notice that it is over (`evidence.Slack`). One that found nothing to hurt
excuses nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from chaos.evidence import Evidence, Window
from chaos.journal import ModelRun


def could_know(run: ModelRun, since: float, evidence: Evidence) -> float | None:
    """When the run could know that it was overtaken, or cancelled, at `since`; None: nobody was stopped or cut off then.

    That is when the cut is over in which it happened. One that comes within the time that it has to stop puts it off.
    """
    cuts = sorted(_cuts(run, evidence), key=lambda one: one.begin)
    earliest = max(run.start, since - evidence.slack.cause)
    causes = [one for one in cuts if one.begin <= since and one.end >= earliest]
    if not causes:
        return None
    knows = max(since, *(one.end for one in causes))
    for one in cuts:
        if since < one.begin <= knows + evidence.bounds.overtaken:
            knows = max(knows, one.end)
    return knows


def was_forgotten(at: float, evidence: Evidence) -> bool:
    """Whether Redis had just lost the claims, so that an attempt which ran could be given away again at that time.

    Its next beat claims it again, once an operator has put the job's record back; other faults may keep him from that.
    """
    deaf = _deaf(evidence, but_for=lambda one: one.forgets)
    return any(
        one.begin <= at and _seconds_outside(deaf, one.end, at) <= evidence.slack.forgotten
        for one in evidence.windows
        if one.hit and one.forgets
    )


def hearing_seconds(begin: float, end: float, evidence: Evidence, runs: Iterable[ModelRun] = ()) -> float:
    """For how much of that time a user's word could reach Redis, and from there all these runs."""
    cuts = [(one.begin, one.end + evidence.slack.cause) for run in runs for one in _cuts(run, evidence)]
    return _seconds_outside([*_deaf(evidence), *cuts], begin, end)


def was_harmed(run: ModelRun, evidence: Evidence) -> bool:
    """Whether some fault may have cost this attempt, in its own time or just before its model began or after it ended."""
    loss = evidence.slack.loss
    return any(
        one.begin <= run.last + loss and one.end >= run.start - loss
        for one in evidence.windows
        if one.hit and one.harms and _hits(one, run)
    )


def _deaf(evidence: Evidence, but_for: Callable[[Window], bool] = lambda _: False) -> list[tuple[float, float]]:
    """When users were not heard."""
    return [
        (one.begin, one.end + (evidence.slack.deposed if one.deposes else evidence.slack.deaf))
        for one in evidence.windows
        if one.hit and one.deafens and not but_for(one)
    ]


def _seconds_outside(spans: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """For how much of the time from `begin` to `end` none of the spans was on."""
    free, at = 0.0, begin
    for first, last in sorted(spans):
        if last <= at or first >= end:
            continue
        free += max(0.0, first - at)
        at = max(at, last)
    return free + max(0.0, end - at)


def _cuts(run: ModelRun, evidence: Evidence) -> list[Window]:
    return [one for one in evidence.windows if one.hit and one.cuts and _hits(one, run)]


def _hits(window: Window, run: ModelRun) -> bool:
    return not window.victims or not window.victims.isdisjoint({run.worker, str(run.pid), str(run.task_pid)})
