"""Messages of attempts: which of those that were sent are missing, neither in their queue nor at a worker.

Only a message that is known to be missing is sent again: a queue that is long and slow loses none. The queues are looked
through now and then. On its way from a queue to a worker a message is in neither for a moment, so it is missing only when
a second look does not find it either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.broker.backlog import Found

TAKEN_SECONDS: Final = 90.0  # a worker claims what it takes, and tries to for 60 s: one that has not is lost
_CONFIRM_LOOKS: Final = 2


@dataclass(slots=True)
class _Sent:
    queue: str
    since: float  # when it was sent, or first seen to be sent
    taken_since: float | None = None
    absences: int = 0  # looks in a row that did not find it


class SentMessages:
    """The messages of queued attempts. Times are monotonic seconds of the caller."""

    def __init__(self, *, resend_seconds: float) -> None:
        self._resend_seconds = resend_seconds
        self._sent: dict[TaskId, _Sent] = {}
        self._look_at = 0.0
        self._epoch: str | None = None

    def clear(self) -> None:
        """Forget everything: a new tenure begins."""
        self._sent.clear()
        self._look_at = 0.0

    def is_missing(self, task: TaskId, queue: str) -> bool:
        """Whether the newest looks did not find the attempt's message in that queue, to which its record says it was sent."""
        sent = self._sent.get(task)
        if sent is None:
            return False
        if sent.queue != queue:  # it was looked for in the wrong one: the spec was edited meanwhile
            self._sent[task] = _Sent(queue, sent.since)
            return False
        return sent.absences >= _CONFIRM_LOOKS

    def sent(self, task: TaskId, queue: str, now: float) -> None:
        """The message was sent now, again perhaps."""
        self._sent[task] = _Sent(queue, now)

    def queues_to_search(self, queued: Mapping[TaskId, str], now: float, *, epoch: str | None = None) -> set[str]:
        """The queues to look through now, given the attempts that no worker is known to have; none if it is not time yet.

        In another epoch of Redis all are looked for anew: what was missing may be back.
        """
        if epoch != self._epoch:
            self._epoch = epoch
            for sent in self._sent.values():
                sent.absences, sent.taken_since = 0, None
            self._look_at = now
        self._sent = {task: self._sent.get(task) or _Sent(queue, now) for task, queue in queued.items()}
        old = [one for one in self._sent.values() if now - one.since >= self._resend_seconds]
        doubtful = any(0 < one.absences < _CONFIRM_LOOKS for one in old)
        if not old or (now < self._look_at and not doubtful):
            return set()
        self._look_at = now + self._resend_seconds
        return {one.queue for one in old}

    def searched(self, found: Mapping[str, Found], now: float) -> list[TaskId]:
        """Take the result of a search, by queue; returns the attempts whose messages became missing."""
        missing = []
        for task, one in self._sent.items():
            look = found.get(one.queue)
            if look is None or now - one.since < self._resend_seconds:
                continue
            one.taken_since = (one.taken_since or now) if str(task) in look.taken else None
            is_held = one.taken_since is not None and now - one.taken_since < TAKEN_SECONDS
            one.absences = 0 if str(task) in look.waiting or is_held else one.absences + 1
            if one.absences == _CONFIRM_LOOKS:
                missing.append(task)
        return missing
