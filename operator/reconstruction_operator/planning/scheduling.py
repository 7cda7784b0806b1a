"""Who is dispatched next, over all jobs: a bounded window of messages for each queue, shared fairly.

The window keeps most waiting jobs in the resources, where suspend, cancel and fairness act on them at once. Priorities
are queues of their own (`<queue>-high`, `<queue>`, `<queue>-low`), which the workers take in that order.

**Suspects are tried one at a time.** A job that kills its worker as a whole takes the attempts beside it with it, and then
nobody can tell which of them it was. Sent again together they would die together, until all have failed. So of those that
lost the same worker, not for the first time, only one is in flight in a queue: the one that kills is alone among them
when it does, and none of the others is beside it. A first loss is an ordinary one (nodes die), and is made good at once.
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

_SUSPICIOUS_FAILURES: Final = 2  # the default of backoffLimit: one more, and a job that did nothing would be lost


@dataclass(frozen=True, slots=True)
class Quarantine:
    """That a job kills its worker. Those that lost the same worker have an equal one."""

    queue: str  # another queue may stand still, and who waits for somebody in it would, too
    loss: str  # the failure's message, which names the worker


def quarantine(queue: str, status: Status) -> Quarantine | None:
    """Whether a job of that queue must be tried apart: its last failure was the loss of a worker, and not its first."""
    failure = status.failure
    if failure is None or failure.reason != "WORKER_LOST" or status.failures < _SUSPICIOUS_FAILURES:
        return None
    return Quarantine(queue, failure.message)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that would be dispatched if it were let."""

    key: JobKey
    queue: str  # of its priority
    created: datetime
    namespace_in_flight: int = 0  # how many of its namespace's jobs a worker has, or wait in a queue
    quarantine: Quarantine | None = None


def admit(
    candidates: Sequence[Candidate],
    waiting_by_queue: Mapping[str, int],
    window: int,
    tried: Collection[Quarantine] = (),
) -> tuple[JobKey, ...]:
    """The jobs to dispatch now, in this order.

    Each queue is filled up to `window` messages; `waiting_by_queue` counts the messages that lie in Redis, so that a
    queue that Redis has forgotten fills again. The namespace with the fewest jobs in flight comes first, the oldest job
    first within it; equal ones go by the age of their oldest job, and then by name. Of one quarantine
    only the oldest comes, and nobody while it is being `tried`. The same question always has the same answer, whatever
    the order of `candidates`.
    """
    by_queue: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in _apart(candidates, tried):
        by_queue[candidate.queue].append(candidate)
    admitted: list[JobKey] = []
    for queue in sorted(by_queue):
        room = window - waiting_by_queue.get(queue, 0)
        if room > 0:
            admitted.extend(_fairly(by_queue[queue], room))
    return tuple(admitted)


def _apart(candidates: Iterable[Candidate], tried: Collection[Quarantine]) -> Iterator[Candidate]:
    """All that are not suspected, and one of each quarantine."""
    first: dict[Quarantine, Candidate] = {}
    for one in candidates:
        if one.quarantine is None:
            yield one
        elif one.quarantine not in tried:
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
        # Only the first `room` of a namespace can get in; the youngest stands first, so that the oldest is popped.
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
