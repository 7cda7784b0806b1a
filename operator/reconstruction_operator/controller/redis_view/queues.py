"""Queue facts: which queues have live workers, how much waits in each, and whether Redis has room for more."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from reconstruction_operator.api.spec import PRIORITIES
from reconstruction_operator.broker.backlog import Backlog
from reconstruction_operator.contract.pools import queue_name
from reconstruction_operator.controller.entry import CountedMessage, Entry
from reconstruction_operator.state import replies
from reconstruction_operator.telemetry import metrics

_RESUME_SHARE: Final = 0.05  # how far below the limit dispatch resumes, so that it does not alternate

_log = logging.getLogger(__name__)


def workers_by_queue(workers: tuple[replies.WorkerInfo, ...]) -> dict[str, int]:
    """How many workers listen to each queue."""
    return dict(Counter(queue for worker in workers for queue in set(worker.queues)))


class QueueFacts:
    """The newest reading of the queues; `messages` and `bytes` also count what was sent since.

    `memory_share` is the share of Redis's memory beyond which nothing more is dispatched: the rest is for cancels,
    stops and deletions.
    """

    def __init__(self, *, memory_share: float = 1.0, pools: Iterable[str] = ()) -> None:
        metrics.QUEUES.add(queue_name(pool, priority) for pool in pools for priority in PRIORITIES)
        self._memory_share = memory_share
        self._workers: Mapping[str, int] | None = None  # None: not read yet
        self.known = False  # whether this tenure has had a reading
        self.messages: dict[str, int] = {}  # how many wait, by queue
        self.bytes: dict[str, int] = {}  # of Redis that the messages use, by queue
        self._reading = 0  # its number
        self.paused = False  # Redis is too full for further dispatches

    @property
    def served(self) -> frozenset[str]:
        """The queues that live workers consume."""
        return frozenset(self._workers or ())

    def workers(self, queue: str) -> int:
        """How many live workers consume the queue.

        Before the first reading it counts as served, so that no job reports NoWorker.
        """
        return 1 if self._workers is None else self._workers.get(queue, 0)

    def begin(self) -> None:
        """Mark the readings as those of an earlier tenure. Statuses still use them until the next reading."""
        self.known = False

    def sent(self, queue: str, size: int = 0, entry: Entry | None = None) -> None:
        """Count a message that was sent (for that job) until the next reading."""
        self._count(queue, 1, size)
        if entry is not None:
            entry.counted = CountedMessage(self._reading, queue, size)

    def begun(self, entry: Entry) -> None:
        """Note that a worker has the job: its message no longer counts, if it was sent since the newest reading."""
        counted, entry.counted = entry.counted, None
        if counted is not None and counted.reading == self._reading:
            self._count(counted.queue, -1, -counted.size)

    def _count(self, queue: str, messages: int, size: int) -> None:
        self.messages[queue] = self.messages.get(queue, 0) + messages
        self.bytes[queue] = self.bytes.get(queue, 0) + size

    def update(self, workers: Mapping[str, int], backlog: Backlog) -> None:
        """Store a new reading, and set the metrics from it."""
        self._workers = dict(workers)
        self.messages = dict(backlog.messages)
        self.bytes = dict(backlog.bytes)
        self._reading += 1
        self.known = True
        self._pause(backlog.memory_share)
        metrics.QUEUES.add(workers)
        queues = {*workers, *backlog.messages}
        for gauge, counts in ((metrics.WORKERS, workers), (metrics.QUEUE_LENGTH, backlog.messages)):
            gauge.clear()
            for label, number in metrics.QUEUES.total({queue: counts.get(queue, 0) for queue in queues}).items():
                gauge.labels(label).set(number)

    def _pause(self, share: float) -> None:
        limit = self._memory_share - (_RESUME_SHARE if self.paused else 0.0)
        paused = share > limit
        if paused is not self.paused:
            _log.warning(
                "Redis uses %.0f %% of its maxmemory: %s",
                100 * share,
                "nothing more is dispatched; cancels, stops and deletions continue"
                if paused
                else "jobs are dispatched again",
            )
        self.paused = paused
        metrics.DISPATCH_PAUSED.set(paused)
