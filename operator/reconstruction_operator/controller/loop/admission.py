"""Admission: decides which jobs are dispatched next. Jobs wait for room in the dispatch window and for a worker of their queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.envelope import message_bytes
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.counts import IN_FLIGHT
from reconstruction_operator.controller.loop.pauses import PauseLog
from reconstruction_operator.controller.loop.queued import QueuedJobs
from reconstruction_operator.controller.loop.waiting import HIGH, Group, WaitingJobs
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning import places, scheduling
from reconstruction_operator.planning.quotas import Refusal, Rules
from reconstruction_operator.planning.types import Job, Plan
from reconstruction_operator.telemetry import metrics

_PERIOD_SECONDS: Final = 0.2  # between two rounds of admission, with `_PERIOD_GROUPS` or more; less with fewer groups
_PERIOD_GROUPS: Final = 1_000
_PLACES_SECONDS: Final = 30.0  # between two updates of places; each changes some statuses
_TAKEN: Final = (Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED)


@dataclass(eq=False)
class Admission:
    """The jobs that wait for dispatch. An admission is valid for one plan: a job that the plan does not dispatch waits again."""

    cache: Cache
    queues: QueueFacts
    window: scheduling.DispatchWindow
    rules: Rules = field(default_factory=Rules)
    _waiting: WaitingJobs = field(default_factory=WaitingJobs, init=False)
    # Queues of the jobs that were admitted and not planned since
    _admitted: dict[JobKey, str] = field(default_factory=dict, init=False)
    _queued: QueuedJobs = field(default_factory=QueuedJobs, init=False)
    # The stored status of each job when its message was sent
    _sent: dict[JobKey, Status] = field(default_factory=dict, init=False)
    _reasons: dict[JobKey, places.Wait] = field(default_factory=dict, init=False)
    _totals: dict[str, int] = field(default_factory=dict, init=False)  # waiting jobs by queue, as statuses show them
    _pauses: PauseLog = field(default_factory=PauseLog, init=False)
    _held: set[JobKey] = field(default_factory=set, init=False)  # jobs that wait for a worker with their model
    _held_in: Counter[str] = field(default_factory=Counter, init=False)  # their number by namespace
    _next_at: float = field(default=0.0, init=False)
    _places_at: float = field(default=0.0, init=False)

    def clear(self) -> None:
        """Drop all state: a new tenure begins, or ours ended."""
        for known in (
            self._waiting,
            self._admitted,
            self._sent,
            self._reasons,
            self._totals,
            self._pauses,
            self._held,
            self._held_in,
        ):
            known.clear()
        # Until the jobs are planned, their stored statuses show which of them wait in Redis.
        self._queued.reset(job for job in self.cache.active() if job.status.phase is Phase.QUEUED and job.ours)
        self._places_at = 0.0

    def planned(self, job: Job, made: Plan, *, held: bool = False) -> None:
        """Note from the job's newest plan whether it waits here or in Redis. `held`: it waits for a worker with its model."""
        self._hold(job.key, held=held)
        self.wants(job.key, wants=made.wants_dispatch)
        if made.status.phase is Phase.QUEUED and not job.deleting:
            self._queued.put(job.key, job.queue)
            return
        taken = made.status.phase in _TAKEN
        self._queued.remove(job.key, taken=taken)
        if taken:
            self.queues.taken(job.key)

    def wants(self, key: JobKey, *, wants: bool) -> None:
        """Note whether the plan would dispatch the job if it were admitted."""
        job = self.cache.get(key) if wants else None
        if job is not None:
            self._waiting.put(job)
        else:
            self._stop_waiting(key)

    def _stop_waiting(self, key: JobKey) -> None:
        self._reasons.pop(key, None)
        emptied = self._waiting.remove(key)
        if emptied is not None:
            self._pauses.forget(emptied)

    def wait_of(self, key: JobKey) -> places.Wait:
        """Return what a waiting job waits for, as its status shows it; empty if that is not known yet."""
        return self._reasons.get(key, places.UNKNOWN)

    def refusal(self, job: Job) -> Refusal | None:
        """Why a job that has not started is rejected; None if it is not. The quota of waiting jobs rejects only new ones."""
        namespace = job.key.namespace
        refused = self.rules.refusal(job.spec, namespace)
        if refused is not None or job.status.phase is not None or job.key in self._waiting or job.key in self._held:
            return refused
        return self.rules.too_many(namespace, self._waiting.in_namespace(namespace) + self._held_in[namespace])

    def _hold(self, key: JobKey, *, held: bool) -> None:
        if held is (key in self._held):
            return
        self._held_in[key.namespace] += 1 if held else -1
        if held:
            self._held.add(key)
        else:
            self._held.remove(key)

    def take(self, key: JobKey) -> bool:
        """Whether the job may be dispatched now. Consumes its admission."""
        return self._admitted.pop(key, None) is not None

    def sent(self, key: JobKey) -> None:
        """Note that the job's message was sent. Until its next status is stored, it counts as in flight here."""
        job = self.cache.get(key)
        if job is not None:
            self._sent[key] = job.status
            self.queues.sent(job.queue, message_bytes(job.spec), key)

    def forget(self, key: JobKey) -> None:
        """Drop a deleted job."""
        self._stop_waiting(key)
        self._hold(key, held=False)
        self._queued.remove(key)
        for known in (self._admitted, self._sent):
            known.pop(key, None)

    @property
    def has_new_room(self) -> bool:
        """Whether workers took messages since the last admission, so that others may follow."""
        return self._queued.shrank

    def admit(self, now: float) -> tuple[JobKey, ...]:
        """Admit jobs, which the caller then plans. None are admitted before the next round is due (`now` is monotonic).

        The cost grows with the groups and with the messages that may be sent, not with the jobs that wait.
        """
        if not self._waiting or now < self._next_at:
            return ()
        self._next_at = now + _PERIOD_SECONDS * min(1.0, len(self._waiting.groups) / _PERIOD_GROUPS)
        self._measure()
        if not self.queues.known or self.queues.paused:
            return ()
        self._drop_stored()
        load = self._with_jobs(self._load())
        room = scheduling.Room(load, self.window, self.rules.quotas)
        self._pauses.log(self._waiting.in_queue, self.queues, room)
        most = {group: self._most(group, room) for group in self._waiting.groups} if room.total > 0 else {}
        if not any(most.values()):
            return ()
        # Admitted jobs that are not planned yet come first.
        known = self._admitted
        first = ((group, number + len(known)) for group, number in most.items() if number)
        candidates = [one for group, number in first for one in self._candidates(group, number) if one.key not in known]
        admitted = scheduling.admit(
            candidates,
            load,
            self.window,
            self.rules.quotas,
            in_flight={*self.cache.counts.quarantines(), *self._quarantines_soon_in_flight()},
            weigh=self._weigh,
        )
        chosen = set(admitted)
        self._admitted.update((one.key, one.queue) for one in candidates if one.key in chosen)
        return admitted

    def _most(self, group: Group, room: scheduling.Room) -> int:
        """Return the maximum number of jobs of the group that can be admitted."""
        if not self.queues.of(group.queue).workers:
            return 0
        in_queue = room.in_queue(group.queue)
        return in_queue if group.again else min(in_queue, room.share(group.queue, group.namespace, high=group.high))

    def give_places(self, now: float) -> list[JobKey]:
        """Set the texts of the next jobs: the place of each, or what else it waits for. Return the jobs whose text changed.

        Rarely, in rounded numbers, and only for the first jobs of each queue, since each new text is a write to the API server.
        """
        if now < self._places_at:
            return []
        self._places_at = now + _PLACES_SECONDS
        self._drop_stored()
        load, given = self._with_jobs(scheduling.Load()), {}
        room = scheduling.Room(load, self.window, self.rules.quotas)
        self._totals = {
            queue: places.total(number, self._totals.get(queue, 0)) for queue, number in self._waiting.in_queue.items()
        }
        for queue in self._waiting.in_queue:
            listed = [
                one
                for group in self._waiting.groups_in(queue)
                for one in self._candidates(group, self._most_listed(group, room))
            ]
            line = scheduling.line(listed, load, self.rules.quotas, places.LISTED)
            for index, key in enumerate(line.turns):
                given[key] = places.place(queue, index + 1, self._totals[queue], paused=self.queues.paused)
            given |= {key: places.held(key.namespace) for key in line.held}
        changed = [key for key, wait in given.items() if self._reasons.get(key) != wait]
        changed += [key for key in self._reasons if key not in given]
        self._reasons = given
        return changed

    def _most_listed(self, group: Group, room: scheduling.Room) -> int:
        """How many jobs of the group get a text: a place, or that a quota holds them back."""
        held_from = room.quota(group.namespace, high=group.high)
        return places.LISTED + (held_from if held_from < self._waiting.size(group) else 0)

    def _candidates(self, group: Group, at_most: int) -> Iterator[scheduling.Candidate]:
        for key in self._waiting.first(group, at_most):
            job = self.cache.get(key)
            if job is not None and job.queue == group.queue:
                yield scheduling.Candidate(
                    key, group.queue, job.created, quarantine=group.quarantine, again=group.again, high=group.high
                )

    def _load(self) -> scheduling.Load:
        """Return the messages in Redis, and those that are admitted and not sent yet.

        In a queue without workers only messages of attempts count. Orders to delete files may wait there for any time, and
        must not take the room of all other queues.
        """
        served = self.queues.served
        soon = self._admitted
        left = {key: queue for key, queue in self._queued.items() if queue not in served and key not in soon}
        messages = Counter({queue: number for queue, number in self.queues.messages.items() if queue in served})
        messages.update(left.values())
        messages.update(soon.values())
        in_redis = sum(size for queue, size in self.queues.bytes.items() if queue in served)
        waiting = self._queued.waiting(soon)
        return scheduling.Load(messages, in_redis + sum(map(self._weigh, (*left, *soon))), waiting)

    def _with_jobs(self, load: scheduling.Load) -> scheduling.Load:
        """Return the load with the jobs in flight, by namespace."""
        # The cache counts the jobs that are stored as in flight.
        known = map(self.cache.get, {*self._sent, *self._admitted})
        soon = [job for job in known if job is not None and job.status.phase not in IN_FLIGHT]
        in_flight = self.cache.counts.in_flight() + Counter(job.key.namespace for job in soon)
        of_high = Counter(job.key.namespace for job in soon if job.spec.priority == HIGH)
        return replace(load, in_flight=in_flight, high=self.cache.counts.high_in_flight() + of_high)

    def _weigh(self, key: JobKey) -> int:
        job = self.cache.get(key)
        return message_bytes(job.spec) if job is not None else 0

    def _drop_stored(self) -> None:
        self._sent = {key: status for key, status in self._sent.items() if self._has_status(key, status)}

    def _has_status(self, key: JobKey, status: Status) -> bool:
        job = self.cache.get(key)
        return job is not None and (job.status is status or job.status == status)  # comparing all fields is slow

    def _quarantines_soon_in_flight(self) -> Iterator[scheduling.Quarantine]:
        """Return the quarantines of jobs that were admitted or sent and whose stored status does not show it yet."""
        for key in (*self._admitted, *self._sent):
            job = self.cache.get(key)
            its = scheduling.quarantine(job.queue, job.status) if job is not None else None
            if its is not None:
                yield its

    def _measure(self) -> None:
        metrics.WAITING_FOR_ROOM.clear()
        for label, number in metrics.QUEUES.total(self._waiting.in_queue).items():
            metrics.WAITING_FOR_ROOM.labels(label).set(number)
