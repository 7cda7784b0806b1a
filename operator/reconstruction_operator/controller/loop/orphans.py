"""Records in Redis whose object is gone: stopped, cleaned up and forgotten, also if they went while no operator ran.

The caller is sure that the object is gone: its deletion was watched, or a consistent list that succeeded lacks it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.api.status import Phase
from reconstruction_operator.contract.records import Record
from reconstruction_operator.controller.loop.actor import Actor, Order
from reconstruction_operator.controller.redis_view.observer import Observer, Subject
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning import plan, types
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_BATCH: Final = 250
_FIRST_SECONDS: Final = 0.5  # until the second look
_RUNNING_SECONDS: Final = 2.0  # while something of it runs: its silence must be seen without gaps
_LAST_SECONDS: Final = 15.0  # while nobody cleans up: no worker of its pool is there


@dataclass(slots=True)
class _Orphan:
    next_at: float
    attempt: int = 1  # and the queue: as its record says, once that is known
    queue: str = ""
    pause_seconds: float = _FIRST_SECONDS
    dispatched: JobKey | None = None  # it is known to have had a record, which only `Forget` may end
    cancelled: bool = False  # it was confirmed, and the job did not succeed before
    forgotten: bool = False

    def learn(self, record: Record) -> bool:
        """Whether the record tells that we asked for another attempt, or of another queue."""
        known = (self.attempt, self.queue)
        self.attempt, self.queue = record.attempt, record.queue
        return known != (record.attempt, record.queue)


class Orphans:
    """The records that are being cleaned up. Times are monotonic seconds of the caller's."""

    def __init__(
        self,
        observer: Observer,
        actor: Actor,
        *,
        timing: types.Timing,
        ours: Callable[[Record], bool],
    ) -> None:
        self._observer = observer
        self._actor = actor
        self._timing = timing
        self._ours = ours
        self._orphans: dict[str, _Orphan] = {}

    def __len__(self) -> int:
        """How many are left."""
        return len(self._orphans)

    def __contains__(self, job_id: str) -> bool:
        """Whether it is known."""
        return job_id in self._orphans

    def add(self, job_ids: Iterable[str], now: float) -> None:
        """These objects are gone; their records may not be."""
        for job_id in job_ids:
            self._orphans.setdefault(job_id, _Orphan(next_at=now))
        metrics.ORPHANS.set(len(self._orphans))

    def add_deleted(self, jobs: Iterable[types.Job], now: float) -> None:
        """These objects were there and are gone. A record that Redis has lost meanwhile is asserted, to clean up by it."""
        for job in jobs:
            orphan = self._orphans.setdefault(job.key.job_id, _Orphan(next_at=now))
            if job.sent and job.ours:
                orphan.attempt, orphan.queue, orphan.dispatched = job.attempt, job.queue, job.key
                orphan.cancelled = job.spec.cancel_confirmed and job.status.phase is not Phase.SUCCEEDED
        metrics.ORPHANS.set(len(self._orphans))

    def add_reported(self, found: Mapping[str, Record], now: float) -> None:
        """There are files of these, whose objects are gone, and Redis has forgotten them."""
        for job_id, its in found.items():
            orphan = self._orphans.setdefault(job_id, _Orphan(next_at=now))
            orphan.attempt, orphan.queue = its.attempt, its.queue
            orphan.dispatched, orphan.forgotten = JobKey(its.namespace, its.name, job_id), False
        metrics.ORPHANS.set(len(self._orphans))

    def clear(self) -> None:
        """Another leader cleans up."""
        self._orphans.clear()
        metrics.ORPHANS.set(0)

    def queues(self) -> set[str]:
        """Whose workers are to clean up."""
        return {orphan.queue for orphan in self._orphans.values() if orphan.queue}

    def next_at(self) -> float | None:
        """When the next look is due."""
        return min((orphan.next_at for orphan in self._orphans.values()), default=None)

    async def round(self, fence: int, now: float) -> None:
        """Look at those whose time has come. Raises RedisError and DeposedError, as `act`."""
        due = [job_id for job_id, orphan in self._orphans.items() if orphan.next_at <= now][:_BATCH]
        if not due:
            return
        seen, at = await self._observe(due)
        stale = [job_id for job_id, one in seen.items() if one.record and self._orphans[job_id].learn(one.record)]
        if stale:
            fresh, at = await self._observe(stale)
            seen |= fresh
        orders = self._orders(seen, at, now)
        results = await self._actor.act(orders, fence)
        for order in orders:
            orphan = self._orphans.get(order.key.job_id)
            forgets = any(isinstance(one, planned.Forget) for one in order.actions)
            if orphan is not None and forgets and order.key not in results.failed:
                orphan.forgotten = True
        for key, why in results.failed.items():
            _log.warning(
                "The record of %s/%s, which is gone, could not be cleaned up yet: %s", key.namespace, key.name, why
            )
        metrics.ORPHANS.set(len(self._orphans))

    async def _observe(self, job_ids: Sequence[str]) -> tuple[dict[str, types.Observation], datetime]:
        orphans = [(job_id, self._orphans[job_id]) for job_id in job_ids]
        seen = await self._observer.observe(
            [Subject(TaskId(job_id, one.attempt), one.queue) for job_id, one in orphans]
        )
        return dict(zip(job_ids, seen.observations, strict=True)), seen.now

    def _orders(self, seen: Mapping[str, types.Observation], at: datetime, now: float) -> list[Order]:
        orders = []
        for job_id, one in seen.items():
            try:
                order = self._order(job_id, one, at, now)
            except Exception:  # noqa: BLE001  # one bad record never stops the others
                metrics.RECONCILE_ERRORS.labels("plan").inc()
                _log.exception("The record of %s, which is gone, could not be planned", job_id)
                self._orphans[job_id].next_at = now + _LAST_SECONDS
            else:
                orders += [] if order is None else [order]
        return orders

    def _order(self, job_id: str, seen: types.Observation, at: datetime, now: float) -> Order | None:
        orphan, record = self._orphans[job_id], seen.record
        lost = orphan.dispatched if record is None and not orphan.forgotten else None
        if lost is not None:
            orphan.next_at = now + _FIRST_SECONDS
            # The flag first: without a record no order to delete files is carried out, and by the flag all of them go.
            flag = (planned.AssertCancelled(),) if orphan.cancelled else ()
            return Order(lost, None, orphan.attempt, (*flag, planned.PutRecord(orphan.attempt, orphan.queue)))
        if record is None:
            # Nothing of it was ever sent, or Redis has lost the record. What else there is goes, and its place in the index.
            del self._orphans[job_id]
            return Order(JobKey("", "", job_id), None, orphan.attempt, (planned.Forget(orphan.attempt),))
        if not self._ours(record):
            del self._orphans[job_id]
            return None
        limit = _RUNNING_SECONDS if seen.runs else _LAST_SECONDS
        orphan.next_at = now + min(limit, orphan.pause_seconds)
        orphan.pause_seconds = min(_LAST_SECONDS, orphan.pause_seconds * 2)
        actions = plan.plan_orphan(job_id, record, seen, at, self._timing)
        return Order(JobKey(record.namespace, record.name, job_id), None, record.attempt, actions) if actions else None
