"""Scheduling over all jobs: which are dispatched next. A bounded window of messages in each queue, shared fairly.

The window keeps most waiting jobs in the API server, where suspend, cancel and fairness act on them at once. Priorities
are separate queues (`<queue>-high`, `<queue>`, `<queue>-low`), which workers consume in that order.

**Poison quarantine.** A job that kills its whole worker takes the other attempts of that worker with it, and it is
unknown which of them was the poison. Retried together, they would die together until all have failed. So jobs that lost
the same worker, and not for the first time, are in quarantine: only one of them is in flight at a time in each queue.
When the poison job kills a worker again, it is the only one of them there. A first loss is usual (nodes fail), and is
retried at once.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status

_QUARANTINE_FAILURES: Final = 2  # the default of backoffLimit: at the next failure, an innocent job would fail for good


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A group of jobs that lost the same worker, of which one is tried at a time."""

    queue: str  # one group a queue: another queue may have no workers, and a job of it would block the others
    loss: str  # the failure's message, which names the worker


def quarantine(queue: str, status: Status) -> Quarantine | None:
    """The quarantine of a job: its last failure was the loss of a worker, and not its first failure. None for other jobs."""
    failure = status.failure
    if failure is None or failure.reason != "WORKER_LOST" or status.failures < _QUARANTINE_FAILURES:
        return None
    return Quarantine(queue, failure.message)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that waits to be dispatched."""

    key: JobKey
    queue: str  # that of its priority
    created: datetime
    namespace_in_flight: int = 0  # jobs of its namespace that are in a queue or with a worker
    quarantine: Quarantine | None = None


def admit(
    candidates: Sequence[Candidate],
    waiting_by_queue: Mapping[str, int],
    window: int,
    in_flight: Collection[Quarantine] = (),
) -> tuple[JobKey, ...]:
    """The jobs to dispatch now, in this order. Deterministic, regardless of the order of `candidates`.

    - Each queue is filled up to `window` messages. `waiting_by_queue` are the messages in Redis, so that a queue that Redis
      lost is filled again.
    - The namespace with the fewest jobs in flight comes first (among equals that with the oldest job, then by name), and
      within it the oldest job.
    - Of each quarantine only the oldest job comes, and none while a job of it is in flight (`in_flight`).
    """
    by_queue: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in _apart(candidates, in_flight):
        by_queue[candidate.queue].append(candidate)
    admitted: list[JobKey] = []
    for queue in sorted(by_queue):
        room = window - waiting_by_queue.get(queue, 0)
        if room > 0:
            admitted.extend(_fairly(by_queue[queue], room))
    return tuple(admitted)


def _apart(candidates: Iterable[Candidate], in_flight: Collection[Quarantine]) -> Iterator[Candidate]:
    """The candidates outside quarantine, and the oldest of each quarantine that has none in flight."""
    first: dict[Quarantine, Candidate] = {}
    for one in candidates:
        if one.quarantine is None:
            yield one
        elif one.quarantine not in in_flight:
            other = first.setdefault(one.quarantine, one)
            first[one.quarantine] = min(one, other, key=_age)
    yield from first.values()


def _age(candidate: Candidate) -> tuple[datetime, JobKey]:
    return candidate.created, candidate.key


def _fairly(candidates: Iterable[Candidate], room: int) -> list[JobKey]:
    lines: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        lines[candidate.key.namespace].append(candidate)
    turns: list[tuple[int, datetime, str]] = []
    waiting: dict[str, list[Candidate]] = {}
    for namespace, line in lines.items():
        in_flight = max(one.namespace_in_flight for one in line)
        # No more than `room` of a namespace can be admitted. The oldest is last, to be popped first.
        first = heapq.nsmallest(room, line, key=_age)
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
