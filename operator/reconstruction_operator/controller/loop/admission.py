"""Admission: which jobs may be dispatched next. They wait for room in the dispatch window, and for a worker of their queue."""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube.cache import IN_FLIGHT, Cache
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning import places, scheduling
from reconstruction_operator.planning.quotas import Refusal, Rules
from reconstruction_operator.planning.types import Job, Plan
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 0.2  # between two rounds of admission while so many jobs wait: each costs as much as there are
_PERIOD_JOBS: Final = 1_000
_PLACES_SECONDS: Final = 30.0  # between two times that places are given; each changes some statuses
_ENVELOPE_BYTES: Final = 1_800  # of a message in Redis, besides its parameters and addresses
_HIGH: Final = "high"


def message_bytes(spec: Spec) -> int:
    """About how many bytes the job's message takes in Redis: its content is kept as base64."""
    texts = map(json.dumps, (spec.parameters, spec.input.uri, spec.output.uri if spec.output else ""))
    return _ENVELOPE_BYTES + sum(len(text) for text in texts) * 4 // 3


class _Group(NamedTuple):
    """Jobs that wait, and whose limits are the same."""

    queue: str
    namespace: str
    again: bool  # their messages were sent before, and are missing
    high: bool  # their priority

    @classmethod
    def of(cls, job: Job) -> _Group:
        return cls(job.queue, job.key.namespace, job.status.phase in IN_FLIGHT, job.spec.priority == _HIGH)


@dataclass(eq=False)
class Admission:
    """The jobs that wait. An admission is for one look: a job that is not dispatched by it waits again."""

    cache: Cache
    queues: QueueFacts
    window: scheduling.Window
    rules: Rules = field(default_factory=Rules)
    _waiting: dict[_Group, dict[JobKey, None]] = field(default_factory=dict, init=False)
    _group_of: dict[JobKey, _Group] = field(default_factory=dict, init=False)
    # Tenants choose the names of queues: nothing that is done for each job goes through all groups.
    _groups_in: Counter[str] = field(default_factory=Counter, init=False)  # how many groups a queue has
    _jobs_of: Counter[str] = field(default_factory=Counter, init=False)  # how many jobs of a namespace wait
    _admitted: dict[JobKey, str] = field(default_factory=dict, init=False)  # and not looked at yet; the queue
    _promised: dict[JobKey, str] = field(default_factory=dict, init=False)  # to be sent once that is stored; the queue
    _queued: dict[JobKey, str] = field(default_factory=dict, init=False)  # planned to wait in that queue of Redis
    _sent: dict[JobKey, Status] = field(
        default_factory=dict, init=False
    )  # the status when the message was sent; the cache counts the next one
    _reasons: dict[JobKey, str] = field(default_factory=dict, init=False)
    _totals: dict[str, int] = field(default_factory=dict, init=False)  # how many wait in a queue, as it is shown
    _braked: dict[str, set[str]] = field(default_factory=dict, init=False)  # causes, as logged, by queue
    _next_at: float = field(default=0.0, init=False)
    _places_at: float = field(default=0.0, init=False)

    def clear(self) -> None:
        """Forget everything: a new tenure begins, or ours ended."""
        for known in (self._waiting, self._group_of, self._groups_in, self._jobs_of):
            known.clear()
        for shown in (self._admitted, self._promised, self._sent, self._reasons):
            shown.clear()
        self._totals.clear()
        self._braked.clear()
        # Until they are planned, the stored statuses say which jobs wait in Redis.
        self._queued = {job.key: job.queue for job in self.cache if job.status.phase is Phase.QUEUED and job.ours}
        self._places_at = 0.0

    def planned(self, job: Job, made: Plan) -> None:
        """Take the newest plan of the job: whether it waits here, or in Redis."""
        self.wants(job.key, wants=made.wants_dispatch)
        if made.status.phase is Phase.QUEUED and not job.deleting:
            self._queued[job.key] = job.queue
        else:
            self._queued.pop(job.key, None)

    def wants(self, key: JobKey, *, wants: bool) -> None:
        """Whether the plan would dispatch the job if it were admitted."""
        job = self.cache.get(key)
        group = _Group.of(job) if job is not None and wants else None
        if self._group_of.get(key) == group:
            return
        self._stop_waiting(key)
        if group is not None:
            if group not in self._waiting:
                self._groups_in[group.queue] += 1
            self._waiting.setdefault(group, {})[key] = None
            self._group_of[key] = group
            self._jobs_of[group.namespace] += 1

    def _stop_waiting(self, key: JobKey) -> None:
        group = self._group_of.pop(key, None)
        self._reasons.pop(key, None)
        if group is None:
            return
        del self._waiting[group][key]
        _decrease(self._jobs_of, group.namespace)
        if not self._waiting[group]:
            del self._waiting[group]
            _decrease(self._groups_in, group.queue)
            if group.queue not in self._groups_in:
                self._braked.pop(group.queue, None)

    def why(self, key: JobKey) -> str:
        """What a waiting job waits for, as its status says; empty if that was not looked at yet."""
        return self._reasons.get(key, "")

    def refusal(self, job: Job) -> Refusal | None:
        """Why a job that has not started is not accepted. Only a new one is too many."""
        namespace = job.key.namespace
        refused = self.rules.refusal(job.spec, namespace)
        if refused is not None or job.status.phase is not None or job.key in self._group_of:
            return refused
        return self.rules.too_many(namespace, self._jobs_of[namespace])

    def take(self, key: JobKey) -> bool:
        """Whether the job may be dispatched now; this uses the admission up."""
        return self._admitted.pop(key, None) is not None

    def promise(self, job: Job, *, promised: bool) -> None:
        """Whether the job's dispatch is stored before its message is sent. It keeps its admission until it is sent."""
        if promised:
            self._promised[job.key] = job.queue
        else:
            self._promised.pop(job.key, None)

    def is_promised(self, key: JobKey) -> bool:
        """Whether the job's message is to be sent when its dispatch is stored."""
        return key in self._promised

    def sent(self, key: JobKey) -> None:
        """Its message was sent. Until its next status is stored, it counts as in flight here."""
        self._promised.pop(key, None)
        job = self.cache.get(key)
        if job is not None:
            self._sent[key] = job.status
            self.queues.sent(job.queue, message_bytes(job.spec))

    def forget(self, key: JobKey) -> None:
        """The job was deleted."""
        self._stop_waiting(key)
        for known in (self._admitted, self._promised, self._queued, self._sent):
            known.pop(key, None)

    def admit(self, now: float) -> tuple[JobKey, ...]:
        """The jobs that are admitted now; look at each of them. Empty if it is not time yet (`now` is monotonic)."""
        if not self._waiting or now < self._next_at:
            return ()
        self._next_at = now + _PERIOD_SECONDS * min(1.0, len(self._group_of) / _PERIOD_JOBS)
        self._measure()
        if not self.queues.known or self.queues.paused:
            return ()
        self._drop_stored()
        load = self._with_jobs(self._load())
        room = scheduling.Room(load, self.window, self.rules.quotas)
        self._log_brakes(room)
        # The jobs themselves are looked at only where one more may be sent.
        open_groups = [group for group in self._waiting if room.total > 0 and self._is_open(group, room)]
        if not open_groups:
            return ()
        candidates = [one for one in self._candidates(open_groups) if one.key not in self._admitted]
        admitted = scheduling.admit(
            candidates,
            load,
            self.window,
            self.rules.quotas,
            in_flight={*self.cache.quarantines(), *self._quarantines_soon_in_flight()},
            weigh=self._weigh,
        )
        self._admitted.update((key, self._group_of[key].queue) for key in admitted)
        return admitted

    def _is_open(self, group: _Group, room: scheduling.Room) -> bool:
        if not self.queues.of(group.queue).workers or not room.in_queue(group.queue):
            return False
        return group.again or room.share(group.queue, group.namespace, high=group.high) > 0

    def _log_brakes(self, room: scheduling.Room) -> None:
        """Log once what keeps the jobs of a queue waiting, until none of them waits any more."""
        for queue in self._groups_in:
            if not self.queues.of(queue).workers:
                cause = "no live worker listens to it"
            elif not room.in_queue(queue):
                cause = "as many messages as DISPATCH_WINDOW allows wait in it"
            elif room.total <= 0:
                cause = "as many messages as DISPATCH_TOTAL_WINDOW allows wait in all queues"
            else:
                continue
            logged = self._braked.setdefault(queue, set())
            if cause not in logged:
                logged.add(cause)
                _log.info("Queue %s: further jobs wait in the API server: %s", queue, cause)

    def give_places(self, now: float) -> list[JobKey]:
        """Say for each of the next jobs at which place it is, or what else it waits for; returns those that get another text.

        Rarely, in rounded numbers, and only for the first of each queue: each new text is a write to the API server.
        """
        if now < self._places_at:
            return []
        self._places_at = now + _PLACES_SECONDS
        self._drop_stored()
        load, given = self._with_jobs(scheduling.Load()), {}
        by_queue: defaultdict[str, list[_Group]] = defaultdict(list)
        for group in self._waiting:
            by_queue[group.queue].append(group)
        self._totals = {
            queue: places.total(sum(len(self._waiting[group]) for group in groups), self._totals.get(queue, 0))
            for queue, groups in by_queue.items()
        }
        for queue, groups in by_queue.items():
            line = scheduling.line(list(self._candidates(groups)), load, self.rules.quotas, places.LISTED)
            for index, key in enumerate(line.turns):
                given[key] = places.place(queue, index + 1, self._totals[queue], paused=self.queues.paused)
            given |= {key: places.held(key.namespace) for key in line.held}
        changed = [key for key, text in given.items() if self._reasons.get(key) != text]
        changed += [key for key in self._reasons if key not in given]
        self._reasons = given
        return changed

    def _candidates(self, groups: Iterable[_Group]) -> Iterator[scheduling.Candidate]:
        for group in groups:
            for key in self._waiting[group]:
                job = self.cache.get(key)
                if job is None or job.queue != group.queue:
                    continue
                # A job in flight has had its turn: its message is to be sent again.
                its = None if group.again else scheduling.quarantine(group.queue, job.status)
                yield scheduling.Candidate(
                    key, group.queue, job.created, quarantine=its, again=group.again, high=group.high
                )

    def _load(self) -> scheduling.Load:
        """The messages in Redis, and those that are admitted or promised and not sent yet.

        In a queue without workers only those of attempts count: orders to delete files wait there for as long as it takes, and
        must not take the room of all other queues.
        """
        served = self.queues.served
        soon = self._promised | self._admitted
        left = [key for key, queue in self._queued.items() if queue not in served and key not in soon]
        messages = Counter({queue: number for queue, number in self.queues.messages.items() if queue in served})
        messages.update(self._queued[key] for key in left)
        messages.update(soon.values())
        in_redis = sum(size for queue, size in self.queues.bytes.items() if queue in served)
        return scheduling.Load(messages, in_redis + sum(map(self._weigh, (*left, *soon))))

    def _with_jobs(self, load: scheduling.Load) -> scheduling.Load:
        """With the jobs in flight, by namespace."""
        # Those that are stored as in flight are counted by the cache.
        known = (*self._sent, *self._admitted, *self._promised)
        soon = {key for key in known if (job := self.cache.get(key)) is not None and job.status.phase not in IN_FLIGHT}
        waiting = Counter((queue, key.namespace) for key, queue in self._queued.items())
        waiting.update((queue, key.namespace) for key, queue in self._admitted.items() if key not in self._queued)
        return replace(
            load,
            waiting=waiting,
            in_flight=self.cache.in_flight() + Counter(key.namespace for key in soon),
            high=self.cache.high_in_flight() + Counter(key.namespace for key in self._high(soon)),
        )

    def _high(self, keys: Iterable[JobKey]) -> Iterator[JobKey]:
        return (key for key in keys if (job := self.cache.get(key)) is not None and job.spec.priority == _HIGH)

    def _weigh(self, key: JobKey) -> int:
        job = self.cache.get(key)
        return message_bytes(job.spec) if job is not None else 0

    def _drop_stored(self) -> None:
        self._sent = {
            key: status
            for key, status in self._sent.items()
            if (job := self.cache.get(key)) is not None and job.status == status
        }

    def _quarantines_soon_in_flight(self) -> Iterator[scheduling.Quarantine]:
        """Those of jobs that were admitted or sent, and whose stored status does not show it yet."""
        for key in (*self._admitted, *self._promised, *self._sent):
            job = self.cache.get(key)
            its = scheduling.quarantine(job.queue, job.status) if job is not None else None
            if its is not None:
                yield its

    def _measure(self) -> None:
        metrics.WAITING_FOR_ROOM.clear()
        waiting = Counter[str]()
        for group, keys in self._waiting.items():
            waiting[group.queue] += len(keys)
        for label, number in metrics.QUEUES.total(waiting).items():
            metrics.WAITING_FOR_ROOM.labels(label).set(number)


def _decrease(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]  # a tenant chose the name
