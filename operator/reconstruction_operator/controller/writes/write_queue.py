"""Write queue: the newest status of each job that is not written yet, in the order of urgency."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

BUSY_SECONDS: Final = 0.25  # after an urgent write; most jobs that wait are dispatched before their wait is written
WAITING_SECONDS: Final = 0.2  # between two writes of waits meanwhile


class Urgency(enum.IntEnum):
    """The kind of a status write; lower is sent first."""

    FINISHED = 0
    PHASE = 1
    PROGRESS = 2
    WAITING = 3  # what a job that has not been dispatched waits for


@dataclass(slots=True)
class PendingWrite:
    """The newest status that is wanted for a job."""

    key: JobKey
    # The stored status that the plan was made from; if another is stored by then, the job is planned again
    base: Status
    status: Status
    events: tuple[Event, ...]
    since: float  # monotonic time of the first status that was offered and not written
    urgency: Urgency = Urgency.PROGRESS
    again: bool = False  # plan again when it is stored


def urgency_of(stored: Status, status: Status) -> Urgency:
    """Return the urgency of a change. A changed condition is urgent, since clients wait for it; a message or a percentage is not."""
    if status.phase is not None and status.phase.finished:
        return Urgency.FINISHED
    same = stored.phase is status.phase and stored.attempt == status.attempt
    observed = stored.observed_generation == status.observed_generation
    if status.phase is Phase.PENDING and (stored.phase is None or (same and observed)):
        return Urgency.WAITING
    return Urgency.PROGRESS if same and observed and _hold_alike(stored, status) else Urgency.PHASE


def _hold_alike(stored: Status, planned: Status) -> bool:
    """Whether the same conditions hold in both."""
    if stored.conditions == planned.conditions:
        return True
    before, after = ({entry.type: entry.status for entry in status.conditions} for status in (stored, planned))
    return before == after


class WriteQueue:
    """At most one write of a job waits, and at most one is in flight."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._queues: tuple[dict[JobKey, PendingWrite], ...] = tuple({} for _ in Urgency)
        self.in_flight: set[JobKey] = set()  # jobs whose write was taken; the writer removes them
        self._urgent_at = self._waiting_at = -math.inf  # when such a write was last taken

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues)

    def __contains__(self, key: JobKey) -> bool:
        """Whether a write of the job waits."""
        return any(key in queue for queue in self._queues)

    def put(self, pending: PendingWrite) -> None:
        """Queue a write in place of the job's waiting one. The age stays, and the place unless the urgency changed."""
        for queue in self._queues:
            if (old := queue.get(pending.key)) is not None:
                pending.since = min(pending.since, old.since)
                if old.urgency is not pending.urgency:
                    del queue[pending.key]
        self._queues[pending.urgency][pending.key] = pending

    def drop(self, key: JobKey) -> None:
        """Remove the job's waiting write."""
        for queue in self._queues:
            queue.pop(key, None)

    def clear(self) -> None:
        """Remove all waiting writes."""
        for queue in self._queues:
            queue.clear()

    def take(self) -> PendingWrite | None:
        """Take the next write, which is `in_flight` from now on. None if none is due, or all due ones are of jobs with a write in flight."""
        now = self._monotonic()
        held_until = min(self._urgent_at + BUSY_SECONDS, self._waiting_at + WAITING_SECONDS)
        for urgency, queue in zip(Urgency, self._queues, strict=True):
            if urgency is Urgency.WAITING and now < held_until:
                break
            key = next((key for key in queue if key not in self.in_flight), None)
            if key is None:
                continue
            if urgency is Urgency.WAITING:
                self._waiting_at = now
            elif urgency is not Urgency.PROGRESS:
                self._urgent_at = now
            self.in_flight.add(key)
            return queue.pop(key)
        return None

    def waits(self, key: JobKey) -> bool:
        """Whether the job's waiting status only reports what the job waits for."""
        return key in self._queues[Urgency.WAITING]

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self and not self.in_flight

    def lag_seconds(self) -> float:
        """Age of the oldest waiting write, not counting those of jobs that wait for their turn."""
        due = self._queues[: Urgency.WAITING]
        oldest = min((pending.since for queue in due for pending in queue.values()), default=None)
        return 0.0 if oldest is None else max(0.0, self._monotonic() - oldest)

    def measure(self) -> None:
        """Update the gauges."""
        metrics.WRITES_PENDING.set(len(self) + len(self.in_flight))
        metrics.OLDEST_WRITE.set(self.lag_seconds())
