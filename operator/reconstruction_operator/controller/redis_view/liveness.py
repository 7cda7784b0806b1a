"""Liveness: for how long workers have been silent, counted only over an unbroken connection to Redis."""

from __future__ import annotations

from dataclasses import dataclass

from reconstruction_operator.api.identity import TaskId


@dataclass(slots=True)
class _Silence:
    since: float
    seen: float
    contact: int


class LivenessTracker:
    """Measures silence from the caller's looks at heartbeats (`alive:{task_id}`); times are monotonic seconds of the caller.

    A worker is silent from the first look that did not find its key. Counting starts again if the connection was
    interrupted since the last look, or if that look is more than `gap_seconds` ago (this process was paused): the worker may
    have sent a heartbeat in between.
    """

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._silences: dict[TaskId, _Silence] = {}

    def saw(self, task: TaskId, *, alive: bool, now: float, contact: int) -> float:
        """Note a look at a claimed attempt. Return for how many seconds it has been silent.

        `contact` is a number that changes with each interruption.
        """
        if alive:
            self._silences.pop(task, None)
            return 0.0
        silence = self._silences.get(task)
        if silence is None or silence.contact != contact or now - silence.seen > self._gap_seconds:
            silence = self._silences[task] = _Silence(since=now, seen=now, contact=contact)
        silence.seen = now
        return now - silence.since
