"""Admission: decides which jobs are dispatched next.

Jobs wait for room in the dispatch window and for a worker of their queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Phase
from reconstruction_operator.contract.envelope import message_bytes
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.waiting import WaitingJobs
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning import places, scheduling
from reconstruction_operator.planning.places import Place
from reconstruction_operator.planning.quotas import Refusal, Rules
from reconstruction_operator.planning.scheduling import IN_FLIGHT
from reconstruction_operator.planning.types import Plan

_PASS_SECONDS: Final = 1.0  # between two passes over the waiting jobs
_PLACES_SECONDS: Final = 5.0  # between two updates of places; each changes some statuses
_MANY_PLACES_SECONDS: Final = 30.0  # the same, while a queue has more jobs than get a place
_BEGUN: Final = (Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED)


@dataclass(eq=False)
class Admission:
    """The jobs that wait for dispatch. An admission is no promise: a job that is not dispatched now waits as before."""

    cache: Cache
    queues: QueueFacts
    window: scheduling.DispatchWindow
    rules: Rules = field(default_factory=Rules)
    _waiting: WaitingJobs = field(default_factory=WaitingJobs, init=False)
    _pass_at: float = field(default=0.0, init=False)
    _places_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.cache.indices.append(self)

    def clear(self) -> None:
        """Remove all jobs: a new tenure begins, or ours ended."""
        self._waiting.clear()
        self._places_at = 0.0

    def planned(self, entry: Entry, plan: Plan, *, held: bool = False) -> None:
        """Note from the job's newest plan whether it waits here or in Redis.

        `held`: it waits for a worker with its model.
        """
        phase, stored = plan.status.phase, entry.job.status.phase
        if plan.wants_dispatch:
            self.wants(entry)
        elif held:
            self._waiting.put(entry, None)
        else:
            self._stop_waiting(entry)
        counts_now = phase is not stored and (phase in IN_FLIGHT or stored is Phase.QUEUED)
        self.cache.count_as(entry, phase if counts_now else None)
        if phase in _BEGUN:
            self.queues.begun(entry)

    def wants(self, entry: Entry) -> None:
        """Note that the plan dispatches the job if it is admitted."""
        self._waiting.put(entry, scheduling.Candidate.of(entry.job))

    def refusal(self, entry: Entry) -> Refusal | None:
        """Why a job that has not started is rejected; None if it is not.

        The quota of waiting jobs rejects only new ones.
        """
        job, namespace = entry.job, entry.key.namespace
        refused = self.rules.refusal(job.spec, namespace)
        if refused is not None or job.status.phase is not None or entry.waiting:
            return refused
        return self.rules.too_many(namespace, self._waiting.in_namespace(namespace))

    def sent(self, entry: Entry) -> None:
        """Count the job's message, which was sent, until the next reading of the queues."""
        self.queues.sent(entry.job.queue, message_bytes(entry.job.spec), entry)

    def discard(self, entry: Entry) -> None:
        """Remove a job that was deleted, is managed elsewhere, or could not be planned."""
        self._stop_waiting(entry)
        self.cache.count_as(entry, None)

    def _stop_waiting(self, entry: Entry) -> None:
        self._waiting.discard(entry)
        entry.place = places.UNKNOWN

    def is_due(self, now: float) -> bool:
        """Whether the jobs that wait must be looked at, though none of them has changed: the queues may have."""
        return now >= self._pass_at

    def admit(self, now: float) -> list[Entry]:
        """Return the jobs that are dispatched as soon as they are planned, in this order (`now` is monotonic).

        Jobs that joined are put in order at most once a second. Otherwise the cost grows with the namespaces whose jobs
        wait and with the messages that may be sent.
        """
        if self.is_due(now):
            self._pass_at = now + _PASS_SECONDS
            self._waiting.sort()
        lines = self._waiting.lines(self.queues.served)
        if not lines or not self.queues.known or self.queues.paused:
            return []
        tried = self.cache.counts.quarantines
        admitted = scheduling.admit(lines, self._load(), self.window, self.rules.quotas, tried=tried, weigh=self._weigh)
        return self._entries(admitted)

    def give_places(self, now: float) -> list[Entry]:
        """Set the places of the next jobs. Return the jobs whose place changed.

        Rarely, in rounded numbers, and only for the first jobs of each queue, since each change is a write to the API
        server. This passes over all jobs.
        """
        if now < self._places_at:
            return []
        load = self._load()
        given = dict[Entry, Place]()
        for of_queue in self._waiting.lines(self.queues.served).values():
            turns, held = scheduling.first_turns(of_queue, load, self.rules.quotas, places.LISTED)
            for index, entry in enumerate(self._entries(turns)):
                given[entry] = places.place(index + 1, paused=self.queues.paused)
            given |= dict.fromkeys(self._entries(held), places.OVER_QUOTA)
        self._places_at = now + (_PLACES_SECONDS if len(given) < places.LISTED else _MANY_PLACES_SECONDS)
        given |= {entry: places.UNKNOWN for entry in self.cache if entry.place != places.UNKNOWN and entry not in given}
        changed = []
        for entry, place in given.items():
            if entry.place != place:
                entry.place = place
                changed.append(entry)
        return changed

    def _load(self) -> scheduling.Load:
        """Return what is in the queues and in flight, by the stored statuses and by the plans that are not stored yet.

        In a queue without workers only messages of attempts count. Orders to delete files may wait there for any time,
        and must not take the room of all other queues.
        """
        counts, served = self.cache.counts, self.queues.served
        messages = Counter({queue: number for queue, number in self.queues.messages.items() if queue in served})
        size = sum(number for queue, number in self.queues.bytes.items() if queue in served)
        left = {place: number for place, number in counts.queued.items() if place[0] not in served}
        if left:
            for (queue, _), number in left.items():
                messages[queue] += number
            active = (entry.job for entry in self.cache.active() if entry.job.status.phase is Phase.QUEUED)
            size += sum(message_bytes(job.spec) for job in active if job.queue not in served)
        return scheduling.Load(messages, size, counts.queued, counts.in_flight, counts.high_in_flight)

    def _entries(self, keys: Iterable[JobRef]) -> list[Entry]:
        return [entry for key in keys if (entry := self.cache.entry(key.uid)) is not None]

    def _weigh(self, key: JobRef) -> int:
        entry = self.cache.entry(key.uid)
        return message_bytes(entry.job.spec) if entry is not None else 0
