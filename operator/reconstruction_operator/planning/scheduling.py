"""Scheduling: which jobs are dispatched next. A bounded window of messages, shared fairly.

The window keeps most waiting jobs in the API server, where suspend, cancel and fairness act on them at once. Priorities
are separate queues (`<queue>-high`, `<queue>`, `<queue>-low`), which workers consume in that order.

**Fair turns.** A queue is first in, first out, so its messages cannot be reordered. Therefore a namespace never has
more than a share of the window in a queue: a job of another namespace waits behind at most that many of its messages.
The namespace with the fewest jobs in flight comes next, and within it the oldest job.

**Poison quarantine.** A job that kills its whole worker takes the other attempts of that worker with it, and it is
unknown which of them was the poison. Retried together, they would die together until all have failed. So jobs that lost
the same worker, and not for the first time, are in quarantine: only one of them is in flight at a time in each queue.
When the poison job kills a worker again, it is the only one of them there. A first loss is usual (nodes fail), and is
retried at once.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.planning.quotas import NO_QUOTAS, Quotas, limit_of
from reconstruction_operator.planning.types import Job

IN_FLIGHT: Final = frozenset({Phase.QUEUED, Phase.RUNNING, Phase.CANCELLING})
_QUARANTINE_FAILURES: Final = 2  # the default of backoffLimit: at the next failure, an innocent job would fail for good


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A group of jobs that lost the same worker, of which one is tried at a time."""

    queue: str  # one group a queue: another queue may have no workers, and a job of it would block the others
    loss: str  # the failure's message, which names the worker


def quarantine(queue: str, status: Status) -> Quarantine | None:
    """Return the quarantine of a job: its last failure was the loss of a worker, and not its first failure.

    None for other jobs.
    """
    failure = status.failure
    if failure is None or failure.reason != "WORKER_LOST" or status.failures < _QUARANTINE_FAILURES:
        return None
    return Quarantine(queue, failure.message)


class Candidate(NamedTuple):
    """A job that waits to be dispatched. Candidates sort in the order in which those of one namespace are sent."""

    new: bool  # False: its message was sent before and is missing, so the job needs no further turn
    created: datetime
    key: JobRef
    queue: str  # the queue of the job's priority
    high: bool = False  # it has priority high
    quarantine: Quarantine | None = None

    @classmethod
    def of(cls, job: Job) -> Candidate:
        """Return the candidate of a job whose plan wants its dispatch."""
        new, high = job.status.phase not in IN_FLIGHT, job.spec.priority == "high"
        suspected = quarantine(job.queue, job.status) if new else None
        return cls(new, job.created, job.key, job.queue, high, suspected)


Line = Mapping[JobRef, Candidate]
"""Candidates of one queue, namespace and priority, in their order."""


@dataclass(frozen=True, slots=True)
class DispatchWindow:
    """Limits of the messages that wait in Redis."""

    queue: int  # in one queue
    namespace: int  # of one namespace in one queue
    total: int  # in all queues
    total_bytes: int  # the same, as bytes in Redis


@dataclass(frozen=True, slots=True)
class Load:
    """What is in the queues and in flight already."""

    messages: Mapping[str, int] = field(default_factory=dict)  # by queue
    bytes: int = 0  # of all messages
    waiting: Mapping[tuple[str, str], int] = field(default_factory=dict)  # messages by queue and namespace
    in_flight: Mapping[str, int] = field(default_factory=dict)  # jobs in a queue or with a worker, by namespace
    high: Mapping[str, int] = field(default_factory=dict)  # those of priority high


def admit(
    lines: Mapping[str, Iterable[Line]],
    load: Load,
    window: DispatchWindow,
    quotas: Quotas = NO_QUOTAS,
    *,
    tried: Collection[Quarantine] = (),
    weigh: Callable[[JobRef], int] = lambda _: 0,
) -> tuple[JobRef, ...]:
    """Return the jobs to dispatch now, in this order. `lines` are those of each queue.

    - No limit of `window` is exceeded, all messages in Redis counted; `weigh` gives the bytes of a job's message.
    - No namespace exceeds its quotas.
    - The queue with the fewest messages comes first, so that a busy queue does not take all the room.
    - Within a queue: first the messages that are sent again, then fair turns.
    - Of each quarantine only one job comes, and none while a job of it is in flight (`tried`).

    The cost grows with the lines and with the messages that may be sent, not with the jobs that wait.
    """
    room = _Room(load, window, quotas, tried)
    turns = {queue: _turns(of_queue, room) for queue, of_queue in lines.items()}
    queues = [(load.messages.get(queue, 0), queue) for queue in turns]
    heapq.heapify(queues)
    admitted: list[JobRef] = []
    while queues and room.total > 0:
        messages, queue = heapq.heappop(queues)
        candidate = next(turns[queue], None) if messages < window.queue else None
        if candidate is None:
            continue
        if not room.use(candidate, weigh(candidate.key)):
            break  # all wait until the bytes of this message fit: otherwise smaller messages would always overtake it
        admitted.append(candidate.key)
        heapq.heappush(queues, (messages + 1, queue))
    return tuple(admitted)


def first_turns(lines: Collection[Line], load: Load, quotas: Quotas, at_most: int) -> tuple[list[JobRef], list[JobRef]]:
    """Return the first waiting jobs of one queue in the order of their turns, and those that a quota holds back."""
    empty = Load(in_flight=load.in_flight, high=load.high)
    room = _Room(empty, DispatchWindow(at_most, at_most, at_most, sys.maxsize), quotas)
    turns: dict[JobRef, bool] = {}
    for candidate in _turns(lines, room):
        turns[candidate.key] = room.use(candidate, 0)
        if not room.total:
            break
    full = (line for line in lines if not room.quota(next(iter(line.values()))))
    held = (key for line in full for key, candidate in line.items() if candidate.new and key not in turns)
    return list(turns), list(itertools.islice(held, at_most))


class _Room:
    """What is left of the window and of the quotas, and which quarantines have a job in flight."""

    def __init__(self, load: Load, window: DispatchWindow, quotas: Quotas, tried: Iterable[Quarantine] = ()) -> None:
        self.load = load
        self.total = window.total - sum(load.messages.values())
        self.tried = set(tried)
        self._window = window
        self._quotas = quotas
        self._bytes = window.total_bytes - load.bytes
        self._waiting = Counter(load.waiting)
        self._in_flight = Counter(load.in_flight)
        self._high = Counter(load.high)

    def quota(self, candidate: Candidate) -> int:
        """Return how many more jobs like this one the quotas of its namespace allow."""
        namespace = candidate.key.namespace
        limits = [(limit_of(self._quotas.running, namespace), self._in_flight)]
        if candidate.high:
            limits.append((limit_of(self._quotas.high, namespace), self._high))
        return min((max(0, most - jobs[namespace]) for most, jobs in limits if most is not None), default=sys.maxsize)

    def allows(self, candidate: Candidate) -> bool:
        """Return whether the share and the quotas of its namespace allow the message, and its quarantine is free."""
        if candidate.quarantine in self.tried:
            return False
        share = self._window.namespace - self._waiting[candidate.queue, candidate.key.namespace]
        return not candidate.new or (share > 0 and self.quota(candidate) > 0)

    def use(self, candidate: Candidate, size: int) -> bool:
        """Use the room for one message; return False if its bytes do not fit."""
        if size > self._bytes:
            return False
        self._bytes -= size
        self.total -= 1
        if candidate.quarantine is not None:
            self.tried.add(candidate.quarantine)
        if candidate.new:  # otherwise it is in flight already
            namespace = candidate.key.namespace
            self._in_flight[namespace] += 1
            self._high[namespace] += candidate.high
            self._waiting[candidate.queue, namespace] += 1
        return True


def _turns(lines: Iterable[Line], room: _Room) -> Iterator[Candidate]:
    """Yield the jobs of one queue that the room allows, in the order of their turns.

    The caller uses the room for each.
    """
    turns: list[tuple[int, datetime, JobRef, Candidate, Iterator[Candidate]]] = []
    jobs = Counter(room.load.in_flight)  # and those that had their turn in this queue, by namespace

    def push(line: Iterator[Candidate]) -> None:
        candidate = next((job for job in line if job.quarantine not in room.tried), None)
        if candidate is not None and room.allows(candidate):
            rank = jobs[candidate.key.namespace] if candidate.new else -1
            heapq.heappush(turns, (rank, candidate.created, candidate.key, candidate, line))

    for line in lines:
        push(iter(line.values()))
    while turns:
        *_, candidate, left = heapq.heappop(turns)
        if room.allows(candidate):  # other queues may have used up its quota
            yield candidate
            jobs[candidate.key.namespace] += candidate.new
        push(left)
