"""Write queue: the status writes that wait, one a job, in the order of writing, and the budget of all writes.

Two kinds of writes are held back, since another status of the job may follow in a moment and replace them:

- "The job is being cancelled", for `BRIEF_SECONDS`, since most workers stop sooner. If many jobs stop, until the ends are written, for at
  most `BRIEF_AT_MOST_SECONDS`.
- "The job waits for its turn", while the server has more urgent writes: for `PATIENCE_SECONDS`, and then at a low rate.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.writes.write_budget import TokenBucket, WriteBudget
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

BRIEF_SECONDS: Final = 0.15
BRIEF_AT_MOST_SECONDS: Final = 1.0
PHASE_LATE_SECONDS: Final = 0.5  # after which a change of phase goes before dispatches that came later
PATIENCE_SECONDS: Final = 10.0
WAITING_PER_SECOND: Final = 5.0  # while there are more urgent writes
_WAITING_BURST: Final = 5
_PAUSE_SECONDS: Final = 0.25  # without a more urgent write, in flight or taken: the server has time


class Urgency(enum.IntEnum):
    """The kind of a status write; lower is sent first."""

    FINISHED = 0
    DISPATCH = 1  # that a job is queued: its message follows, and a worker may be free
    PHASE = 2
    BRIEF = 3  # a phase that may end in a moment
    PROGRESS = 4
    WAITING = 5  # what a job that has not been dispatched waits for


HELD: Final = (Urgency.BRIEF, Urgency.WAITING)
"""Kinds that are held back."""

_URGENT: Final = (Urgency.FINISHED, Urgency.DISPATCH, Urgency.PHASE)
_PHASES_LATE: Final = (Urgency.FINISHED, Urgency.PHASE, Urgency.DISPATCH, *tuple(Urgency)[Urgency.BRIEF :])


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


def urgency_of(stored: Status, wanted: Status) -> Urgency:
    """Return the urgency of a change. A changed condition is urgent, since clients wait for it; a message or a percentage is not."""
    if wanted.phase is not None and wanted.phase.finished:
        return Urgency.FINISHED
    same = stored.phase is wanted.phase and stored.attempt == wanted.attempt
    observed = stored.observed_generation == wanted.observed_generation
    if wanted.phase is Phase.CANCELLING and stored.phase is not Phase.CANCELLING:
        return Urgency.BRIEF
    if wanted.phase is Phase.QUEUED and stored.phase is not Phase.QUEUED:
        return Urgency.DISPATCH
    if wanted.phase is Phase.PENDING and (stored.phase is None or (same and observed)):
        return Urgency.WAITING
    return Urgency.PROGRESS if same and observed and _hold_alike(stored, wanted) else Urgency.PHASE


def _hold_alike(stored: Status, wanted: Status) -> bool:
    """Whether the same conditions hold in both."""
    if stored.conditions == wanted.conditions:
        return True
    before, after = ({one.type: one.status for one in status.conditions} for status in (stored, wanted))
    return before == after


class WriteQueue:
    """At most one write of a job waits, and at most one is in flight. Status writes and Events share `budget`."""

    def __init__(self, *, least: float, most: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._queues: tuple[dict[JobKey, PendingWrite], ...] = tuple({} for _ in Urgency)
        self._in_flight: dict[JobKey, Urgency] = {}
        self._urgent_in_flight = 0
        self._urgent_at = -math.inf  # when the newest urgent write was taken or completed
        self._waiting = TokenBucket(per_second=WAITING_PER_SECOND, burst=_WAITING_BURST, now=monotonic())
        self.hurried = False  # set when the process ends: nothing is held back any longer
        self.budget = WriteBudget(least=least, most=most, now=monotonic())

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues)

    def __contains__(self, key: JobKey) -> bool:
        """Whether a write of the job waits."""
        return self._find(key) is not None

    def put(self, pending: PendingWrite) -> None:
        """Queue a write in place of the job's waiting one. The age stays, and the place unless the urgency changed."""
        old = self._find(pending.key)
        if old is not None:
            pending.since = min(pending.since, old.since)
            if old.urgency is not pending.urgency:
                del self._queues[old.urgency][pending.key]
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
        """Take the next write, which is in flight until `done`. None if none is due, or all due ones are of jobs with a write in flight."""
        now = self._monotonic()
        for urgency in _PHASES_LATE if self._is_late(now) else Urgency:
            queue = self._queues[urgency]
            for key, pending in queue.items():
                if key in self._in_flight:
                    continue
                if self._held_seconds(pending, now) > 0:
                    break  # all writes behind it came later
                if urgency in _URGENT:
                    self._urgent_at = now
                    self._urgent_in_flight += 1
                elif urgency is Urgency.WAITING:
                    self._waiting.take(now)
                self._in_flight[key] = urgency
                return queue.pop(key)
        return None

    def _is_late(self, now: float) -> bool:
        """Whether the oldest phase change has waited long enough to go before dispatches."""
        dispatch, phase = (next(iter(self._queues[one].values()), None) for one in (Urgency.DISPATCH, Urgency.PHASE))
        return (
            dispatch is not None and phase is not None and phase.since < min(dispatch.since, now - PHASE_LATE_SECONDS)
        )

    def held_seconds(self) -> float | None:
        """Seconds until the next held write is due; None if none is held."""
        now = self._monotonic()
        heads = (next(iter(self._queues[urgency].values()), None) for urgency in HELD)
        return min((self._held_seconds(head, now) for head in heads if head is not None), default=None)

    def _held_seconds(self, pending: PendingWrite, now: float) -> float:
        if self.hurried:
            return 0.0
        if pending.urgency is Urgency.BRIEF:
            busy_until = min(self._urgent_at + _PAUSE_SECONDS, pending.since + BRIEF_AT_MOST_SECONDS)
            return max(pending.since + BRIEF_SECONDS, busy_until) - now
        if pending.urgency is not Urgency.WAITING:
            return 0.0
        patience = max(pending.since + PATIENCE_SECONDS - now, self._waiting.delay_seconds(now))
        busy_at = now if self._urgent_in_flight else self._urgent_at  # a server that responds slowly has no time
        return max(0.0, min(patience, busy_at + _PAUSE_SECONDS - now))

    def waits(self, key: JobKey) -> bool:
        """Whether the job's waiting status only reports what the job waits for."""
        return key in self._queues[Urgency.WAITING]

    def is_in_flight(self, key: JobKey) -> bool:
        """Whether a write of the job is in flight."""
        return key in self._in_flight

    def done(self, key: JobKey) -> None:
        """Note that the job's write is no longer in flight."""
        if self._in_flight.pop(key, None) in _URGENT:
            self._urgent_in_flight -= 1
            self._urgent_at = self._monotonic()

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self and not self._in_flight

    @property
    def urgent(self) -> bool:
        """Whether more than progress waits."""
        return any(self._queues[: Urgency.PROGRESS])

    def lag_seconds(self) -> float:
        """Age of the oldest waiting write, not counting those of jobs that wait for their turn."""
        due = self._queues[: Urgency.WAITING]
        oldest = min((one.since for queue in due for one in queue.values()), default=None)
        return 0.0 if oldest is None else max(0.0, self._monotonic() - oldest)

    def measure(self) -> None:
        """Update the gauges."""
        metrics.WRITES_PENDING.set(len(self) + len(self._in_flight))
        metrics.OLDEST_WRITE.set(self.lag_seconds())
        metrics.WRITE_BUDGET.set(self.budget.per_second)

    def _find(self, key: JobKey) -> PendingWrite | None:
        return next((queue[key] for queue in self._queues if key in queue), None)
