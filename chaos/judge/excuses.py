"""Excuses: what a fault excuses, and for how long. Pure functions of the windows of the faults.

Excuses are narrow. A fault excuses only the attempts that it hit, while it lasts and for the time that the system needs
to notice its end (`evidence.Slack`). A fault that hit nothing excuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from chaos.judge.evidence import Evidence, Window
from chaos.system.load import UserJob
from chaos.witnesses.journal import ModelRun


def could_know_at(run: ModelRun, since: float, evidence: Evidence) -> float | None:
    """Return when the run could notice that it was superseded or cancelled at `since`; None: no fault stopped it or cut
    it off then.

    That is the end of the cut at that time. Another cut postpones it, if it begins before the run must have stopped.
    """
    cuts = sorted(_cuts(run, evidence), key=lambda window: window.begin)
    earliest = max(run.start, since - evidence.slack.cause)
    causes = [window for window in cuts if window.begin <= since and window.end >= earliest]
    if not causes:
        return None
    knows = max(since, *(window.end for window in causes))
    for window in cuts:
        if since < window.begin <= knows + evidence.bounds.superseded:
            knows = max(knows, window.end)
    return knows


def was_forgotten(at: float, evidence: Evidence) -> bool:
    """Return whether Redis had just lost the claims at `at`, so that a running attempt could be claimed again.

    The next heartbeat restores the claim once an operator has restored the job's record. Other faults can delay that.
    """
    blocked = _blocked(evidence, but_for=lambda window: window.forgets)
    return any(
        window.begin <= at and _seconds_outside(blocked, window.end, at) <= evidence.slack.forgotten
        for window in evidence.windows
        if window.hit and window.forgets
    )


def may_run_again(since: float, at: float, evidence: Evidence) -> bool:
    """Return whether Redis lost data between `since` and `at`, or got older data: what it held at `since`, a deletion
    or a claim, may not count, and the job may have run again.
    """
    return any(
        window.hit and window.forgets and window.end >= since and window.begin <= at for window in evidence.windows
    )


def was_divided(run: ModelRun, end: float, evidence: Evidence) -> bool:
    """Return whether another installation may have ended the job while ours sent this run, which then stopped soon."""
    return run.last <= end + evidence.bounds.superseded and any(
        window.hit and window.divides and window.begin <= run.start <= window.end for window in evidence.windows
    )


def was_shared(job: UserJob, end: float, evidence: Evidence) -> bool:
    """Return whether another installation may have managed the job before its end."""
    return any(
        window.hit and window.divides and window.begin <= end and window.end >= job.created_at
        for window in evidence.windows
    )


def reachable_seconds(begin: float, end: float, evidence: Evidence, runs: Iterable[ModelRun] = ()) -> float:
    """Return for how much of that time a user's change could reach Redis and all these runs."""
    cuts = [(window.begin, window.end + evidence.slack.cause) for run in runs for window in _cuts(run, evidence)]
    return _seconds_outside([*_blocked(evidence), *cuts], begin, end)


def was_harmed(run: ModelRun, evidence: Evidence) -> bool:
    """Return whether a fault shortly before, during or shortly after this run may have made its attempt fail."""
    loss = evidence.slack.loss
    return any(
        window.begin <= run.last + loss and window.end >= run.start - loss
        for window in evidence.windows
        if window.hit and window.harms and _hits(window, run)
    )


def _blocked(evidence: Evidence, but_for: Callable[[Window], bool] = lambda _: False) -> list[tuple[float, float]]:
    """Return the periods in which users' changes may not have reached Redis."""
    return [
        (window.begin, window.end + (evidence.slack.deposed if window.deposes else evidence.slack.blocked))
        for window in evidence.windows
        if window.hit and window.blocks_users and not but_for(window)
    ]


def _seconds_outside(spans: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """Return how much of the time from `begin` to `end` is outside all spans."""
    free, at = 0.0, begin
    for first, last in sorted(spans):
        if last <= at or first >= end:
            continue
        free += max(0.0, first - at)
        at = max(at, last)
    return free + max(0.0, end - at)


def _cuts(run: ModelRun, evidence: Evidence) -> list[Window]:
    return [window for window in evidence.windows if window.hit and window.cuts and _hits(window, run)]


def _hits(window: Window, run: ModelRun) -> bool:
    return not window.victims or not window.victims.isdisjoint({run.worker, str(run.pid), str(run.task_pid)})
