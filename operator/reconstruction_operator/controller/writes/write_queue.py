"""Write queue: the newest status of each job that is not written yet, in the order of urgency."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.entry import Entry, PendingWrite, Urgency
from reconstruction_operator.telemetry import metrics

BUSY_SECONDS: Final = 0.25  # after an urgent write; most jobs that wait are dispatched before their wait is written
WAITING_SECONDS: Final = 0.2  # between two writes of waits meanwhile


def urgency_of(stored: Status, status: Status) -> Urgency:
    """Return the urgency of a change.

    A changed condition is urgent, since clients wait for it; a message or a percentage is not.
    """
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
    """At most one write of a job waits, and at most one is being sent."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lines: tuple[dict[Entry, None], ...] = tuple({} for _ in Urgency)
        self._sending = 0
        self._urgent_at = self._waiting_at = -math.inf  # when such a write was last taken

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines)

    def put(self, entry: Entry, write: PendingWrite) -> None:
        """Queue a write in place of the job's waiting one. The age stays, and the place unless the urgency changed."""
        old, entry.write = entry.write, write
        if old is not None:
            write.since = min(write.since, old.since)
            if old.urgency is not write.urgency:
                del self._lines[old.urgency][entry]
        self._lines[write.urgency][entry] = None

    def discard(self, entry: Entry) -> None:
        """Remove the job's waiting write."""
        if entry.write is not None:
            del self._lines[entry.write.urgency][entry]
            entry.write = None

    def clear(self) -> None:
        """Remove all waiting writes."""
        for line in self._lines:
            line.clear()

    def take(self) -> tuple[Entry, PendingWrite] | None:
        """Take the next write, which is being sent until `done`.

        None if none is due, or all due ones are of jobs with a write that is being sent.
        """
        now = self._monotonic()
        held_until = min(self._urgent_at + BUSY_SECONDS, self._waiting_at + WAITING_SECONDS)
        for urgency, line in zip(Urgency, self._lines, strict=True):
            if urgency is Urgency.WAITING and now < held_until:
                break
            entry = next((entry for entry in line if not entry.writing), None)
            if entry is None or entry.write is None:
                continue
            if urgency is Urgency.WAITING:
                self._waiting_at = now
            elif urgency is not Urgency.PROGRESS:
                self._urgent_at = now
            write = entry.write
            self.discard(entry)
            entry.writing = True
            self._sending += 1
            return entry, write
        return None

    def done(self, entry: Entry) -> None:
        """Note that the sending of the job's write has ended."""
        entry.writing = False
        self._sending -= 1

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being sent."""
        return not self and not self._sending

    def lag_seconds(self) -> float:
        """Age of the oldest waiting write, not counting those of jobs that wait for their turn."""
        due = (entry.write for line in self._lines[: Urgency.WAITING] for entry in line)
        oldest = min((write.since for write in due if write is not None), default=None)
        return 0.0 if oldest is None else max(0.0, self._monotonic() - oldest)

    def measure(self) -> None:
        """Update the gauges."""
        metrics.WRITES_PENDING.set(len(self) + self._sending)
        metrics.OLDEST_WRITE.set(self.lag_seconds())
