"""Scheduling: which jobs are dispatched next. A bounded window of messages, shared fairly.

The window keeps most waiting jobs in the API server, where suspend, cancel and fairness act on them at once. Priorities
are separate queues (`<queue>-high`, `<queue>`, `<queue>-low`), which workers consume in that order.

**Fair turns.** A queue is first in, first out, so its messages cannot be reordered. Therefore a namespace never has
more than a share of the window in a queue: a job of another namespace waits behind at most that many of its messages. The
namespace with the fewest jobs in flight comes next, and within it the oldest job.

**Poison quarantine.** A job that kills its whole worker takes the other attempts of that worker with it, and it is
unknown which of them was the poison. Retried together, they would die together until all have failed. So jobs that lost
the same worker, and not for the first time, are in quarantine: only one of them is in flight at a time in each queue.
When the poison job kills a worker again, it is the only one of them there. A first loss is usual (nodes fail), and is
retried at once.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.quotas import NO_QUOTAS, Quotas, limit_of

_QUARANTINE_FAILURES: Final = 2  # the default of backoffLimit: at the next failure, an innocent job would fail for good


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A group of jobs that lost the same worker, of which one is tried at a time."""

    queue: str  # one group a queue: another queue may have no workers, and a job of it would block the others
    loss: str  # the failure's message, which names the worker


def quarantine(queue: str, status: Status) -> Quarantine | None:
    """Return the quarantine of a job: its last failure was the loss of a worker, and not its first failure. None for other jobs."""
    failure = status.failure
    if failure is None or failure.reason != "WORKER_LOST" or status.failures < _QUARANTINE_FAILURES:
        return None
    return Quarantine(queue, failure.message)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that waits to be dispatched."""

    key: JobKey
    queue: str  # the queue of the job's priority
    created: datetime
    quarantine: Quarantine | None = None
    again: bool = False  # its message was sent before and is missing, so the job needs no further turn
    high: bool = False  # it has priority high


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
    candidates: Iterable[Candidate],
    load: Load,
    window: DispatchWindow,
    quotas: Quotas = NO_QUOTAS,
    *,
    in_flight: Collection[Quarantine] = (),
    weigh: Callable[[JobKey], int] = lambda _: 0,
) -> tuple[JobKey, ...]:
    """Return the jobs to dispatch now, in this order. Deterministic, regardless of the order of `candidates`.

    - No limit of `window` is exceeded, all messages in Redis counted; `weigh` gives the bytes of a job's message.
    - No namespace exceeds its quotas.
    - The queue with the fewest messages comes first, so that a busy queue does not take all the room.
    - Within a queue: first the messages that are sent again, then fair turns.
    - Of each quarantine only the oldest job comes, and none while a job of it is in flight (`in_flight`).
    """
    room = Room(load, window, quotas)
    lines = {
        queue: deque(_fairly(ours, room.in_queue(queue), room))
        for queue, ours in _by_queue(_outside_quarantine(candidates, in_flight)).items()
    }
    turns = [(load.messages.get(queue, 0), queue) for queue in lines]
    heapq.heapify(turns)
    admitted: list[JobKey] = []
    while turns and room.total > 0:
        waiting, queue = heapq.heappop(turns)
        line = lines[queue]
        while line and not room.allows(line[0]):
            line.popleft()  # jobs of another queue have used up its namespace's quota
        if not line:
            continue
        if not room.take(line[0], weigh(line[0].key)):
            break  # all wait until the bytes of this message fit: otherwise smaller messages would always overtake it
        admitted.append(line.popleft().key)
        heapq.heappush(turns, (waiting + 1, queue))
    return tuple(admitted)


@dataclass(frozen=True, slots=True)
class Turns:
    """The first waiting jobs of one queue."""

    turns: tuple[JobKey, ...]  # in the order in which they come, if nothing else changes
    held: tuple[JobKey, ...]  # held back by a quota of their namespace


def line(candidates: Collection[Candidate], load: Load, quotas: Quotas, at_most: int) -> Turns:
    """Return the first jobs in line of one queue."""
    room = Room(Load(in_flight=load.in_flight, high=load.high), DispatchWindow(at_most, at_most, at_most, 0), quotas)
    turns = tuple(one.key for one in _fairly(candidates, at_most, room))
    held: list[Candidate] = []
    for ours in _by_namespace(candidates).values():
        quota = room.quota(ours[0].key.namespace, high=ours[0].high)
        if quota < len(ours):
            held += heapq.nsmallest(quota + at_most, ours, key=_age)[quota:]
    return Turns(turns, tuple(one.key for one in held[:at_most]))


class Room:
    """What is left of the window and of the quotas."""

    def __init__(self, load: Load, window: DispatchWindow, quotas: Quotas) -> None:
        self.load = load
        self._window = window
        self._quotas = quotas
        self.total = window.total - sum(load.messages.values())
        self._bytes = window.total_bytes - load.bytes
        self._taken: Counter[str] = Counter()  # by namespace
        self._taken_high: Counter[str] = Counter()

    def in_queue(self, queue: str) -> int:
        """Return how many more messages the queue may get."""
        return max(0, self._window.queue - self.load.messages.get(queue, 0))

    def share(self, queue: str, namespace: str, *, high: bool) -> int:
        """Return how many more new messages of the namespace the queue may get; with `high`, of priority high."""
        share = self._window.namespace - self.load.waiting.get((queue, namespace), 0)
        return max(0, min(share, self.quota(namespace, high=high)))

    def quota(self, namespace: str, *, high: bool) -> int:
        """Return how many more jobs of the namespace may be in flight; with `high`, of priority high."""
        running = limit_of(self._quotas.running, namespace)
        left = (
            sys.maxsize if running is None else running - self.load.in_flight.get(namespace, 0) - self._taken[namespace]
        )
        most = limit_of(self._quotas.high, namespace) if high else None
        if most is not None:
            left = min(left, most - self.load.high.get(namespace, 0) - self._taken_high[namespace])
        return max(0, left)

    def allows(self, candidate: Candidate) -> bool:
        """Return whether the quota of the job's namespace allows it."""
        return candidate.again or self.quota(candidate.key.namespace, high=candidate.high) > 0

    def take(self, candidate: Candidate, size: int) -> bool:
        """Use the room for one message; return False if its bytes do not fit."""
        if size > self._bytes:
            return False
        self._bytes -= size
        self.total -= 1
        if not candidate.again:  # otherwise it is in flight already
            self._taken[candidate.key.namespace] += 1
            self._taken_high[candidate.key.namespace] += candidate.high
        return True


def _by_queue(candidates: Iterable[Candidate]) -> Mapping[str, list[Candidate]]:
    found: defaultdict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        found[one.queue].append(one)
    return found


def _by_namespace(candidates: Iterable[Candidate]) -> Mapping[str, list[Candidate]]:
    found: defaultdict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        if not one.again:
            found[one.key.namespace].append(one)
    return found


def _outside_quarantine(candidates: Iterable[Candidate], in_flight: Collection[Quarantine]) -> Iterator[Candidate]:
    """Yield the candidates outside quarantine, and the oldest of each quarantine that has none in flight."""
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


def _fairly(candidates: Collection[Candidate], at_most: int, room: Room) -> list[Candidate]:
    """Return the next jobs of one queue."""
    chosen = heapq.nsmallest(at_most, (one for one in candidates if one.again), key=_age)
    turns: list[tuple[int, datetime, str]] = []
    waiting: dict[str, list[Candidate]] = {}
    for namespace, ours in _by_namespace(candidates).items():
        # At most this many jobs of a namespace can come. The oldest is last, to be popped first.
        share = room.share(ours[0].queue, namespace, high=ours[0].high)
        first = heapq.nsmallest(min(at_most, share), ours, key=_age)
        if first:
            waiting[namespace] = first[::-1]
            turns.append((room.load.in_flight.get(namespace, 0), first[0].created, namespace))
    heapq.heapify(turns)
    while turns and len(chosen) < at_most:
        in_flight, _, namespace = heapq.heappop(turns)
        left = waiting[namespace]
        chosen.append(left.pop())
        if left:
            heapq.heappush(turns, (in_flight + 1, left[-1].created, namespace))
    return chosen
