"""Event queue: holds Kubernetes Events until they are posted, and merges routine ones.

Pure: callers give the times. The routine Events of a job (`planning.status.events.ROUTINE`) are gathered for a moment, and
merged into one Event with a series. With more jobs than a person can read about, only some get one: routine Events
are posted at a low rate, and dropped when they have waited for too long. All other Events are posted one by one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from reconstruction_operator.controller.kube.objects import EventSubject
from reconstruction_operator.controller.writes.write_budget import TokenBucket
from reconstruction_operator.planning.status.events import ROUTINE
from reconstruction_operator.planning.types import Event

WAITING_AT_MOST: Final = 2_000
GATHER_SECONDS: Final = 2.0
OLD_SECONDS: Final = 15.0  # a routine Event that waits for longer is dropped
ROUTINE_PER_SECOND: Final = 5.0
ROUTINE_BURST: Final = 50


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """One Event about one object, merged from `count` Events."""

    subject: EventSubject
    event: Event
    at: datetime  # time of the first Event
    last: datetime
    since: float  # monotonic time of the first Event
    count: int = 1

    def followed_by(self, event: Event, at: datetime) -> PendingEvent:
        """Merge another Event into this one. A warning decides type and reason. The message joins all texts."""
        named = self.event if (self.event.type, event.type) == ("Warning", "Normal") else event
        both = Event(named.type, named.reason, f"{self.event.message}; {event.message}")
        return replace(self, event=both, last=at, count=self.count + 1)


class EventQueue:
    """The Events that wait, at most `WAITING_AT_MOST`."""

    def __init__(self, now: float) -> None:
        self._single: deque[PendingEvent] = deque()
        self._routine: OrderedDict[EventSubject, PendingEvent] = OrderedDict()
        self._bucket = TokenBucket(per_second=ROUTINE_PER_SECOND, burst=ROUTINE_BURST, now=now)

    def __len__(self) -> int:
        return len(self._single) + len(self._routine)

    def add(self, subject: EventSubject, event: Event, at: datetime, now: float) -> bool:
        """Add an Event. Return False if the queue was full: then the oldest Event was dropped."""
        before = self._routine.get(subject) if event.reason in ROUTINE else None
        if before is not None:
            self._routine[subject] = before.followed_by(event, at)
            return True
        full = len(self) >= WAITING_AT_MOST
        if full and self._routine:
            self._routine.popitem(last=False)
        elif full:
            self._single.popleft()
        pending = PendingEvent(subject, event, at, at, now)
        if event.reason in ROUTINE:
            self._routine[subject] = pending
        else:
            self._single.append(pending)
        return not full

    def put_back(self, pending: PendingEvent) -> None:
        """Put an Event that could not be posted back, to be the next one."""
        self._single.appendleft(pending)

    def drop_old(self, now: float) -> int:
        """Drop the routine Events that have waited for too long. Return how many."""
        dropped = 0
        while self._routine and next(iter(self._routine.values())).since + OLD_SECONDS < now:
            self._routine.popitem(last=False)
            dropped += 1
        return dropped

    def delay_seconds(self, now: float) -> float | None:
        """Seconds until an Event is due; None if the queue is empty."""
        if self._single:
            return 0.0
        if not self._routine:
            return None
        gathered = next(iter(self._routine.values())).since + GATHER_SECONDS
        return max(0.0, gathered - now, self._bucket.delay_seconds(now))

    def take(self, now: float) -> PendingEvent | None:
        """Take the next Event that is due; None if none is."""
        if self._single:
            return self._single.popleft()
        if self.delay_seconds(now) == 0.0 and self._bucket.take(now):
            return self._routine.popitem(last=False)[1]
        return None

    def take_all(self) -> list[PendingEvent]:
        """Take all Events, due or not."""
        everything = [*self._single, *self._routine.values()]
        self._single.clear()
        self._routine.clear()
        return everything
