"""Who is dispatched next: the jobs that wait for room in the window of their queue, and what `scheduling` says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.loop.cache import IN_FLIGHT, Store
from reconstruction_operator.planning import scheduling
from reconstruction_operator.telemetry import metrics

_PERIOD_SECONDS: Final = 0.2  # between two looks at all that wait: each costs as much as there are


class Admission:
    """Keeps who waits. A job is admitted for one look; if that does not dispatch it, it waits again."""

    def __init__(self, store: Store, *, window: int) -> None:
        self._store = store
        self._window = window
        self._waiting: dict[JobKey, None] = {}
        self._admitted: set[JobKey] = set()
        self._sent: dict[JobKey, str] = {}  # by whose status does not say so yet: its namespace
        self._next_at = 0.0

    def clear(self) -> None:
        """Another leader decides, or a new one begins."""
        self._waiting.clear()
        self._admitted.clear()
        self._sent.clear()

    def wants(self, key: JobKey, *, wants: bool) -> None:
        """Whether the job would be dispatched if it were let."""
        if wants:
            self._waiting[key] = None
        else:
            self._waiting.pop(key, None)

    def take(self, key: JobKey) -> bool:
        """Whether the job may be dispatched now; asked once."""
        admitted = key in self._admitted
        self._admitted.discard(key)
        return admitted

    def sent(self, key: JobKey) -> None:
        """Its message went out."""
        self._sent[key] = key.namespace

    def stored(self, key: JobKey) -> None:
        """Its status was written, or it is gone: the store counts it from now on."""
        self._sent.pop(key, None)

    def gone(self, key: JobKey) -> None:
        """The job is gone."""
        self._waiting.pop(key, None)
        self._admitted.discard(key)
        self._sent.pop(key, None)

    def admit(self, waiting_by_queue: Mapping[str, int], now: float) -> tuple[JobKey, ...]:
        """The jobs that are let now; look at each of them. Empty if it is not time yet (`now` is monotonic)."""
        if not self._waiting or now < self._next_at:
            return ()
        self._next_at = now + _PERIOD_SECONDS
        jobs = [job for key in self._waiting if (job := self._store.get(key)) is not None]
        self._measure(Counter(job.queue for job in jobs))
        with_room = {job.queue for job in jobs if waiting_by_queue.get(job.queue, 0) < self._window}
        if not with_room:
            return ()
        sent = Counter(self._sent.values())
        tried = {*self._store.tried(), *self._about_to_be_tried()}
        candidates = [
            scheduling.Candidate(
                key=job.key,
                queue=job.queue,
                created=job.created,
                namespace_in_flight=self._store.in_flight(job.key.namespace) + sent[job.key.namespace],
                # Who is in flight already has had its turn: its message is to be sent again.
                quarantine=None if job.status.phase in IN_FLIGHT else scheduling.quarantine(job.queue, job.status),
            )
            for job in jobs
            if job.queue in with_room
        ]
        let = scheduling.admit(candidates, waiting_by_queue, self._window, tried)
        self._admitted.update(let)
        return let

    def _about_to_be_tried(self) -> Iterator[scheduling.Quarantine]:
        """Of those that were let or sent, and whose status does not say so yet."""
        for key in (*self._admitted, *self._sent):
            job = self._store.get(key)
            its = scheduling.quarantine(job.queue, job.status) if job is not None else None
            if its is not None:
                yield its

    def _measure(self, waiting: Mapping[str, int]) -> None:
        metrics.WAITING_FOR_ROOM.clear()
        for queue, number in waiting.items():
            metrics.WAITING_FOR_ROOM.labels(queue).set(number)
