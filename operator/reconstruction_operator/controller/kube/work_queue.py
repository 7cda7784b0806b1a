"""Work queue: the jobs to reconcile, each at most once, by class, with fair turns between namespaces; and timers."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import Final

from reconstruction_operator.controller.entry import Entry, Rank

_STALE_AT_MOST: Final = 64  # stale heap entries that may stay, in addition to one for each timer
_RESERVED_SHARE: Final = 0.1  # share of each batch for each less urgent class, so that none starves


class WorkQueue:
    """Entries in the order in which they were queued, with the namespaces taking turns."""

    def __init__(self) -> None:
        self._lines: dict[Rank, dict[str, dict[Entry, None]]] = {rank: {} for rank in Rank}  # by namespace
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, entry: Entry, rank: Rank) -> None:
        """Queue the entry. If it is queued in this class or in a more urgent one, it keeps its place."""
        if entry.rank is not None and entry.rank <= rank:
            return
        self.discard(entry)
        entry.rank = rank
        self._lines[rank].setdefault(entry.job.key.namespace, {})[entry] = None
        self._length += 1

    def discard(self, entry: Entry) -> None:
        """Remove the entry, if it is queued."""
        if entry.rank is None:
            return
        lines, namespace = self._lines[entry.rank], entry.job.key.namespace
        del lines[namespace][entry]
        if not lines[namespace]:
            del lines[namespace]
        entry.rank = None
        self._length -= 1

    def clear(self) -> None:
        """Remove all entries; `Cache.begin` queues again what is needed."""
        for lines in self._lines.values():
            for line in lines.values():
                for entry in line:
                    entry.rank = None
            lines.clear()
        self._length = 0

    def take(self, at_most: int) -> list[Entry]:
        """Take the next entries. Most are of the most urgent class; each other class that waits gets a small share."""
        taken: list[Entry] = []
        for rank in Rank:
            waiting = sum(1 for later in Rank if later > rank and self._lines[later])
            room = at_most - len(taken) - int(at_most * _RESERVED_SHARE) * waiting
            taken += self._take(rank, max(room, 0))
        return taken

    def _take(self, rank: Rank, at_most: int) -> list[Entry]:
        lines = self._lines[rank]
        taken: list[Entry] = []
        namespaces = deque(lines)
        while namespaces and len(taken) < at_most:
            namespace = namespaces.popleft()
            line = lines.pop(namespace)
            entry = next(iter(line))
            del line[entry]
            entry.rank = None
            taken.append(entry)
            if line:  # behind the others
                lines[namespace] = line
                namespaces.append(namespace)
        self._length -= len(taken)
        return taken


class Timers:
    """The delayed part of the queue: for each job the earliest time requested, in monotonic seconds of the caller."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Entry]] = []
        self._order = itertools.count()  # of equal times: entries have no order
        self._set = 0  # how many entries have a timer

    def wake(self, entry: Entry, at: float) -> None:
        """Make the job due at `at`, unless it is due earlier."""
        if entry.wake_at is None or at < entry.wake_at:
            self._set += entry.wake_at is None
            entry.wake_at = at
            heapq.heappush(self._heap, (at, next(self._order), entry))
            self._tidy()

    def discard(self, entry: Entry) -> None:
        """Remove the job's timer."""
        if entry.wake_at is not None:
            entry.wake_at = None
            self._set -= 1
            self._tidy()

    def next_at(self) -> float | None:
        """Return the earliest time of any job; None without timers."""
        while self._heap and self._heap[0][2].wake_at != self._heap[0][0]:
            heapq.heappop(self._heap)  # replaced or cancelled since
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Entry]:
        """Take the jobs that are due."""
        entries = []
        while (at := self.next_at()) is not None and at <= now:
            entry = heapq.heappop(self._heap)[2]
            entry.wake_at = None
            self._set -= 1
            entries.append(entry)
        return entries

    def clear(self) -> None:
        """Remove all timers: a new tenure plans all jobs, which sets them again."""
        self._heap.clear()
        self._set = 0

    def _tidy(self) -> None:
        """Drop stale entries: a time to live may be months, and most jobs are deleted before."""
        if len(self._heap) > 2 * self._set + _STALE_AT_MOST:
            self._heap = [(at, order, entry) for at, order, entry in self._heap if entry.wake_at == at]
            heapq.heapify(self._heap)
