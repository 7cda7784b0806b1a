"""Who is dispatched next, over all jobs: a bounded window of messages for each queue, shared fairly.

The window keeps most waiting jobs in the resources, where suspend, cancel and fairness act on them at once. Priorities
are queues of their own (`<queue>-high`, `<queue>`, `<queue>-low`), which the workers take in that order.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconstruction_operator.api.identity import JobKey


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that would be dispatched if it were let."""

    key: JobKey
    queue: str  # of its priority
    created: datetime
    namespace_in_flight: int = 0  # how many of its namespace's jobs a worker has, or wait in a queue


def admit(candidates: Sequence[Candidate], waiting_by_queue: Mapping[str, int], window: int) -> tuple[JobKey, ...]:
    """The jobs to dispatch now, in this order.

    Each queue is filled up to `window` messages; `waiting_by_queue` counts the messages that lie in Redis, so that a
    queue that Redis has forgotten fills again. The namespace with the fewest jobs in flight comes first, the oldest job
    first within it; equal ones go by the age of their oldest job, and then by name. The same question always has the
    same answer, whatever the order of `candidates`.
    """
    by_queue: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_queue[candidate.queue].append(candidate)
    admitted: list[JobKey] = []
    for queue in sorted(by_queue):
        room = window - waiting_by_queue.get(queue, 0)
        if room > 0:
            admitted.extend(_fairly(by_queue[queue], room))
    return tuple(admitted)


def _fairly(candidates: Iterable[Candidate], room: int) -> list[JobKey]:
    lines: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        lines[candidate.key.namespace].append(candidate)
    turns: list[tuple[int, datetime, str]] = []
    waiting: dict[str, list[Candidate]] = {}
    for namespace, line in lines.items():
        in_flight = max(one.namespace_in_flight for one in line)
        # Only the first `room` of a namespace can get in; the youngest stands first, so that the oldest is popped.
        first = heapq.nsmallest(room, line, key=lambda one: (one.created, one.key))
        waiting[namespace] = first[::-1]
        turns.append((in_flight, first[0].created, namespace))
    heapq.heapify(turns)
    admitted: list[JobKey] = []
    while turns and len(admitted) < room:
        in_flight, _, namespace = heapq.heappop(turns)
        line = waiting[namespace]
        admitted.append(line.pop().key)
        if line:
            heapq.heappush(turns, (in_flight + 1, line[-1].created, namespace))
    return admitted
