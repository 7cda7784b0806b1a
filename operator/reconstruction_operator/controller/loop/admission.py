"""Admission: which jobs may be dispatched next. They wait for room in the dispatch window of their queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller.kube.cache import IN_FLIGHT, Cache
from reconstruction_operator.planning import scheduling
from reconstruction_operator.telemetry import metrics

_PERIOD_SECONDS: Final = 0.2  # between two rounds of admission: each costs as much as there are jobs that wait


class Admission:
    """The jobs that wait. An admission is for one look: a job that is not dispatched by it waits again."""

    def __init__(self, cache: Cache, *, window: int) -> None:
        self._cache = cache
        self._window = window
        self._waiting: dict[JobKey, None] = {}
        self._admitted: set[JobKey] = set()
        self._sent: dict[JobKey, Status] = {}  # the status when the message was sent; the cache counts the next one
        self._next_at = 0.0

    def clear(self) -> None:
        """Forget everything: a new tenure begins, or ours ended."""
        self._waiting.clear()
        self._admitted.clear()
        self._sent.clear()

    def wants(self, key: JobKey, *, wants: bool) -> None:
        """Whether the plan would dispatch the job if it were admitted."""
        if wants:
            self._waiting[key] = None
        else:
            self._waiting.pop(key, None)

    def take(self, key: JobKey) -> bool:
        """Whether the job may be dispatched now; this uses the admission up."""
        admitted = key in self._admitted
        self._admitted.discard(key)
        return admitted

    def sent(self, key: JobKey) -> None:
        """Its message was sent. Until its next status is stored, it counts as in flight here."""
        job = self._cache.get(key)
        if job is not None:
            self._sent[key] = job.status

    def forget(self, key: JobKey) -> None:
        """The job was deleted."""
        self._waiting.pop(key, None)
        self._admitted.discard(key)

    def admit(self, waiting_by_queue: Mapping[str, int], now: float) -> tuple[JobKey, ...]:
        """The jobs that are admitted now; look at each of them. Empty if it is not time yet (`now` is monotonic)."""
        if not self._waiting or now < self._next_at:
            return ()
        self._next_at = now + _PERIOD_SECONDS
        jobs = [job for key in self._waiting if (job := self._cache.get(key)) is not None]
        self._measure(Counter(job.queue for job in jobs))
        with_room = {job.queue for job in jobs if waiting_by_queue.get(job.queue, 0) < self._window}
        if not with_room:
            return ()
        self._drop_stored()
        sent = Counter(key.namespace for key in self._sent)
        quarantines = {*self._cache.quarantines(), *self._quarantines_soon_in_flight()}
        candidates = [
            scheduling.Candidate(
                key=job.key,
                queue=job.queue,
                created=job.created,
                namespace_in_flight=self._cache.in_flight(job.key.namespace) + sent[job.key.namespace],
                # A job in flight has had its turn: its message is to be sent again.
                quarantine=None if job.status.phase in IN_FLIGHT else scheduling.quarantine(job.queue, job.status),
            )
            for job in jobs
            if job.queue in with_room
        ]
        admitted = scheduling.admit(candidates, waiting_by_queue, self._window, quarantines)
        self._admitted.update(admitted)
        return admitted

    def _drop_stored(self) -> None:
        self._sent = {
            key: status
            for key, status in self._sent.items()
            if (job := self._cache.get(key)) is not None and job.status == status
        }

    def _quarantines_soon_in_flight(self) -> Iterator[scheduling.Quarantine]:
        """Those of jobs that were admitted or sent, and whose stored status does not show it yet."""
        for key in (*self._admitted, *self._sent):
            job = self._cache.get(key)
            its = scheduling.quarantine(job.queue, job.status) if job is not None else None
            if its is not None:
                yield its

    def _measure(self, waiting: Mapping[str, int]) -> None:
        metrics.WAITING_FOR_ROOM.clear()
        for queue, number in waiting.items():
            metrics.WAITING_FOR_ROOM.labels(queue).set(number)
