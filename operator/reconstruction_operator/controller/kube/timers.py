"""Timers: the delayed part of the work queue. One time a job, the earliest that was asked for."""

from __future__ import annotations

import heapq

from reconstruction_operator.api.identity import JobKey


class Timers:
    """A heap of times, in monotonic seconds of the caller."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, JobKey]] = []
        self._wanted: dict[JobKey, float] = {}

    def __len__(self) -> int:
        """How many jobs wait for a time."""
        return len(self._wanted)

    def wake(self, key: JobKey, at: float) -> None:
        """Make the job due at `at`, unless it is due earlier."""
        known = self._wanted.get(key)
        if known is None or at < known:
            self._wanted[key] = at
            heapq.heappush(self._heap, (at, key))

    def cancel(self, key: JobKey) -> None:
        """Remove the job's timer."""
        self._wanted.pop(key, None)

    def next_at(self) -> float | None:
        """The earliest time."""
        while self._heap and self._wanted.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # replaced or cancelled since
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[JobKey]:
        """Take the jobs whose time has come."""
        keys = []
        while (at := self.next_at()) is not None and at <= now:
            key = heapq.heappop(self._heap)[1]
            del self._wanted[key]
            keys.append(key)
        return keys

    def clear(self) -> None:
        """Remove all."""
        self._heap.clear()
        self._wanted.clear()
