"""Sent messages: finds those that are missing, neither in their queue nor at a worker.

Only a message that is known to be missing is sent again, because a long and slow queue loses none. The queues are
searched periodically. On its way from a queue to a worker a message is in neither for a moment, so it is missing only if
a second search does not find it either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.broker.backlog import FoundMessages
from reconstruction_operator.broker.dispatch import cleanup_id

TAKEN_SECONDS: Final = 90.0  # a worker tries for 60 s to claim what it takes, and deletes files for 60 s at most
_CONFIRM_SEARCHES: Final = 2
_UNASKED_SECONDS: Final = 300.0  # an order that was not asked about for this long is dropped


@dataclass(slots=True)
class _Sent:
    queue: str
    since: float  # when it was sent, or when this operator first knew of it
    taken_since: float | None = None
    absences: int = 0  # consecutive searches that did not find it
    asked_at: float = 0.0  # of an order: when its job was last planned


class SentMessages:
    """The messages of queued attempts, and orders to delete files. Times are monotonic seconds of the caller."""

    def __init__(self, *, resend_seconds: float) -> None:
        self._resend_seconds = resend_seconds
        self._attempts: dict[str, _Sent] = {}  # by the id of the message
        self._orders: dict[str, _Sent] = {}  # the same
        self._search_at = 0.0
        self._epoch: str | None = None

    def begin(self) -> None:
        """Begin a tenure, without messages."""
        self._attempts.clear()
        self._orders.clear()
        self._search_at = 0.0

    def is_missing(self, task: TaskId, queue: str) -> bool:
        """Whether the newest searches did not find the attempt's message. `queue`: where it was sent, according to the record."""
        return self._is_missing(self._attempts, str(task), queue)

    def is_order_missing(self, job_id: str, queue: str, now: float) -> bool:
        """Return the same for the order to delete a job's files. It is searched for from now on, as long as this is called."""
        name = cleanup_id(job_id)
        missing = self._is_missing(self._orders, name, queue)
        self._orders.setdefault(name, _Sent(queue, now)).asked_at = now
        return missing

    def _is_missing(self, messages: dict[str, _Sent], name: str, queue: str) -> bool:
        sent = messages.get(name)
        if sent is None:
            return False
        if sent.queue != queue:  # the search was in the wrong queue: the spec was edited meanwhile
            messages[name] = _Sent(queue, sent.since)
            return False
        return sent.absences >= _CONFIRM_SEARCHES

    def sent(self, task: TaskId, queue: str, now: float) -> None:
        """Note that the attempt's message was sent now, perhaps again."""
        self._attempts[str(task)] = _Sent(queue, now)

    def ordered(self, job_id: str, queue: str, now: float) -> None:
        """Note that an order to delete the job's files was sent now, perhaps again."""
        self._orders[cleanup_id(job_id)] = _Sent(queue, now, asked_at=now)

    def queues_to_search(self, queued: Mapping[TaskId, str], now: float, *, epoch: str | None = None) -> set[str]:
        """Return the queues to search now, given the attempts that no worker is known to run; none if no search is due.

        In a new epoch of Redis all searches start again: a message that was missing may be back.
        """
        if epoch != self._epoch:
            self._epoch = epoch
            for sent in self._all:
                sent.absences, sent.taken_since = 0, None
            self._search_at = now
        self._attempts = {
            str(task): self._attempts.get(str(task)) or _Sent(queue, now) for task, queue in queued.items()
        }
        self._orders = {name: sent for name, sent in self._orders.items() if now - sent.asked_at < _UNASKED_SECONDS}
        old = [sent for sent in self._all if now - sent.since >= self._resend_seconds]
        doubtful = any(0 < sent.absences < _CONFIRM_SEARCHES for sent in old)
        if not old or (now < self._search_at and not doubtful):
            return set()
        self._search_at = now + self._resend_seconds
        return {sent.queue for sent in old}

    def searched(self, results: Mapping[str, FoundMessages], now: float) -> list[TaskId]:
        """Store the result of a search, by queue. Return the attempts whose messages became missing."""
        missing = []
        for name, sent in chain(self._attempts.items(), self._orders.items()):
            result = results.get(sent.queue)
            if result is None or now - sent.since < self._resend_seconds:
                continue
            sent.taken_since = (sent.taken_since or now) if name in result.taken else None
            is_held = sent.taken_since is not None and now - sent.taken_since < TAKEN_SECONDS
            sent.absences = 0 if name in result.waiting or is_held else sent.absences + 1
            if sent.absences == _CONFIRM_SEARCHES and name in self._attempts:
                missing.append(TaskId.parse(name))
        return [task for task in missing if task is not None]

    @property
    def _all(self) -> list[_Sent]:
        return [*self._attempts.values(), *self._orders.values()]
