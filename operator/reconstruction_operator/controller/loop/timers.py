"""When to look at a job again though nothing happens: one time a job, the earliest that was asked for."""

from __future__ import annotations

import heapq

from reconstruction_operator.api.identity import JobKey


class Timers:
    """A heap of wishes; times are monotonic seconds of the caller's."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, JobKey]] = []
        self._wanted: dict[JobKey, float] = {}

    def __len__(self) -> int:
        """How many jobs wait for a time."""
        return len(self._wanted)

    def wake(self, key: JobKey, at: float) -> None:
        """Look at the job at `at`, unless it is looked at before."""
        known = self._wanted.get(key)
        if known is None or at < known:
            self._wanted[key] = at
            heapq.heappush(self._heap, (at, key))

    def cancel(self, key: JobKey) -> None:
        """It is looked at now, or is gone."""
        self._wanted.pop(key, None)

    def next_at(self) -> float | None:
        """The earliest time that is wanted."""
        while self._heap and self._wanted.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # replaced or cancelled since
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[JobKey]:
        """The jobs whose time has come; they are not wanted any more."""
        keys = []
        while (at := self.next_at()) is not None and at <= now:
            key = heapq.heappop(self._heap)[1]
            del self._wanted[key]
            keys.append(key)
        return keys

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._wanted.clear()
