"""Sent messages: finds those that are missing, neither in their queue nor at a worker.

Only a message that is known to be missing is sent again, because a long and slow queue loses none. The queues are
searched periodically. On its way from a queue to a worker a message is in neither for a moment, so it is missing only
if a second search does not find it either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.broker.backlog import FoundMessages
from reconstruction_operator.broker.dispatch import cleanup_id
from reconstruction_operator.controller.entry import Entry, SentMessage, Subject

TAKEN_SECONDS: Final = 90.0  # a worker tries for 60 s to claim what it takes, and deletes files for 60 s at most
_CONFIRM_SEARCHES: Final = 2
_UNASKED_SECONDS: Final = 300.0  # an order that was not asked about for this long is dropped


class SentMessages:
    """The messages of queued attempts, and orders to delete files. Times are monotonic seconds of the caller."""

    def __init__(self, *, resend_seconds: float) -> None:
        self._resend_seconds = resend_seconds
        self._ordered: dict[Subject, None] = {}  # those with an `order`
        self._search_at = 0.0
        self._epoch: str | None = None

    def begin(self) -> None:
        """Begin a tenure, without messages."""
        for subject in self._ordered:
            subject.order = None
        self._ordered.clear()
        self._search_at = 0.0

    def is_missing(self, subject: Subject, attempt: AttemptRef) -> bool:
        """Whether the newest searches did not find the attempt's message.

        Its queue is that to which it was sent, according to the record.
        """
        sent = subject.sent
        if sent is None or sent.name != attempt.task_id:
            return False
        if sent.queue != attempt.queue:  # the search was in the wrong queue: the spec was edited meanwhile
            subject.sent = SentMessage(sent.name, attempt.queue, sent.since)
            return False
        return sent.absences >= _CONFIRM_SEARCHES

    def is_order_missing(self, subject: Subject, job_id: str, queue: str, now: float) -> bool:
        """Return the same for the order to delete a job's files.

        It is searched for from now on, as long as this is called.
        """
        order = subject.order
        if order is None or order.queue != queue:
            order = SentMessage(cleanup_id(job_id), queue, now if order is None else order.since)
            subject.order = order
        self._ordered[subject] = None
        order.asked_at = now
        return order.absences >= _CONFIRM_SEARCHES

    def sent(self, subject: Subject, attempt: AttemptRef, now: float) -> None:
        """Note that the attempt's message was sent now, perhaps again."""
        subject.sent = SentMessage(attempt.task_id, attempt.queue, now)

    def begun(self, subject: Subject) -> None:
        """Note that the attempt's message is done: a worker has the attempt, or it has ended."""
        subject.sent = None

    def ordered(self, subject: Subject, job_id: str, queue: str, now: float) -> None:
        """Note that an order to delete the job's files was sent now, perhaps again."""
        subject.order = SentMessage(cleanup_id(job_id), queue, now, asked_at=now)
        self._ordered[subject] = None

    def queues_to_search(self, queued: Sequence[Entry], now: float, *, epoch: str | None = None) -> set[str]:
        """Return the queues to search now, given the jobs whose attempt no worker is known to run; none if no search is
        due.

        In a new epoch of Redis all searches start again: a message that was missing may be back.
        """
        if epoch != self._epoch:
            self._epoch = epoch
            for sent in self._searched_for(queued):
                sent.absences, sent.taken_since = 0, None
            self._search_at = now
        self._follow(queued, now)
        old = [sent for sent in self._searched_for(queued) if now - sent.since >= self._resend_seconds]
        doubtful = any(0 < sent.absences < _CONFIRM_SEARCHES for sent in old)
        if not old or (now < self._search_at and not doubtful):
            return set()
        self._search_at = now + self._resend_seconds
        return {sent.queue for sent in old}

    def searched(self, queued: Sequence[Entry], results: Mapping[str, FoundMessages], now: float) -> list[Entry]:
        """Store the result of a search for these jobs' messages, by queue.

        Return the jobs whose message became missing.
        """
        messages = self._searched_for(queued)
        became_missing = {sent.name for sent in messages if self._note(sent, results.get(sent.queue), now)}
        return [entry for entry in queued if entry.sent is not None and entry.sent.name in became_missing]

    def _note(self, sent: SentMessage, result: FoundMessages | None, now: float) -> bool:
        """Store the result of a search for the message. Return whether it became missing."""
        if result is None or now - sent.since < self._resend_seconds:
            return False
        sent.taken_since = (sent.taken_since or now) if sent.name in result.taken else None
        is_held = sent.taken_since is not None and now - sent.taken_since < TAKEN_SECONDS
        sent.absences = 0 if sent.name in result.waiting or is_held else sent.absences + 1
        return sent.absences == _CONFIRM_SEARCHES

    def _follow(self, queued: Sequence[Entry], now: float) -> None:
        """Search for the messages of these jobs, and for orders that are asked about, and for no others."""
        for entry in queued:
            name = entry.job.task.task_id
            if entry.sent is None or entry.sent.name != name:
                entry.sent = SentMessage(name, entry.job.queue, now)
        for subject in tuple(self._ordered):
            if subject.order is None or now - subject.order.asked_at >= _UNASKED_SECONDS:
                subject.order = None
                del self._ordered[subject]

    def _searched_for(self, queued: Sequence[Entry]) -> list[SentMessage]:
        messages = [*(entry.sent for entry in queued), *(subject.order for subject in self._ordered)]
        return [message for message in messages if message is not None]
