"""How long workers have been silent, counted only over time in which Redis was reached without a break."""

from __future__ import annotations

from dataclasses import dataclass

from reconstruction_operator.api.identity import TaskId


@dataclass(slots=True)
class _Silence:
    since: float
    seen: float


class LivenessTracker:
    """Fed with each look at `alive:{task_id}`; times are monotonic seconds of the caller's.

    A worker is silent from the first look that did not find its key. If two looks are further apart than
    `gap_seconds` (Redis was away, or this process stood still), nothing is known of the time between them, and
    counting begins anew.
    """

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._silences: dict[TaskId, _Silence] = {}

    def saw(self, task: TaskId, *, alive: bool, now: float) -> float:
        """Note a look at a claimed task; returns for how many seconds it has been silent."""
        if alive:
            self._silences.pop(task, None)
            return 0.0
        silence = self._silences.get(task)
        if silence is None or now - silence.seen > self._gap_seconds:
            silence = self._silences[task] = _Silence(since=now, seen=now)
        silence.seen = now
        return now - silence.since

    def interrupted(self) -> None:
        """Redis could not be reached: what was silent before may have spoken since."""
        self._silences.clear()
