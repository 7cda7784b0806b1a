"""Queue facts: which queues have live workers, and how many messages wait in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from reconstruction_operator.planning.types import Queue
from reconstruction_operator.state import replies
from reconstruction_operator.telemetry import metrics


def workers_by_queue(workers: tuple[replies.WorkerInfo, ...]) -> dict[str, int]:
    """How many workers listen to each queue."""
    return dict(Counter(queue for worker in workers for queue in set(worker.queues)))


class QueueFacts:
    """The newest reading of the queues; `waiting` also counts the messages that were sent since."""

    def __init__(self) -> None:
        self._workers: Mapping[str, int] | None = None  # None: not read yet
        self._waiting: dict[str, int] = {}
        self._shown: set[str] = set()  # in the metrics

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many messages wait, by queue."""
        return self._waiting

    def of(self, queue: str) -> Queue:
        """The facts of one queue. Before the first reading it counts as served, so that no job reports NoWorker."""
        workers = 1 if self._workers is None else self._workers.get(queue, 0)
        return Queue(workers=workers, waiting=self._waiting.get(queue, 0))

    def sent(self, queue: str) -> None:
        """Count a message that was sent, until the next reading."""
        self._waiting[queue] = self._waiting.get(queue, 0) + 1

    def update(self, workers: Mapping[str, int], waiting: Mapping[str, int]) -> None:
        """Take a new reading."""
        self._workers, self._waiting = dict(workers), dict(waiting)
        shown = {*workers, *waiting}
        for queue in self._shown - shown:
            metrics.WORKERS.remove(queue)
            metrics.QUEUE_LENGTH.remove(queue)
        self._shown = shown
        for queue in shown:
            metrics.WORKERS.labels(queue).set(workers.get(queue, 0))
            metrics.QUEUE_LENGTH.labels(queue).set(waiting.get(queue, 0))
