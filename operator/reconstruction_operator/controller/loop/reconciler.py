"""The loop: take what may have changed, observe it, plan it, act, and hand the statuses to the writer.

Level-triggered: nothing that happened is remembered, only that a job may have changed. Whatever goes wrong is tried
again, and one bad job never stops the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.kube.election import Election
from reconstruction_operator.controller.kube.status_writer import StatusWriter
from reconstruction_operator.controller.loop.actor import Actor, Order, Results
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.timers import Timers
from reconstruction_operator.controller.measuring import StepClock
from reconstruction_operator.controller.redis_view.connection import Contact
from reconstruction_operator.controller.redis_view.observer import Observer, Seen, Subject
from reconstruction_operator.planning import plan
from reconstruction_operator.planning.types import Job, Observation, Plan, Timing
from reconstruction_operator.state import errors
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_BATCH_JOBS: Final = 250  # in one round: bounds the time in which the loop answers nothing else
_IDLE_SECONDS: Final = 1.0  # at most without a round
_BACKOFF_SECONDS: Final = 1.0  # after a job's failure; doubles
_BACKOFF_MAX_SECONDS: Final = 60.0
_REDIS_PAUSE_SECONDS: Final = 0.5  # after Redis did not answer


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop works with."""

    store: Store
    observer: Observer
    actor: Actor
    writer: StatusWriter
    election: Election
    contact: Contact
    admission: Admission
    orphans: Orphans
    timers: Timers


@dataclass(frozen=True, slots=True)
class _Planned:
    job: Job
    seen: Observation
    plan: Plan


class Reconciler:
    """One loop for all jobs. `last_round` is the monotonic time of its newest round: it shows that the loop is alive."""

    def __init__(
        self,
        parts: Parts,
        *,
        timing: Timing,
        batch_seconds: float,
        sweep: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._timing = timing
        self._batch_seconds = batch_seconds
        self._sweep = sweep
        self._monotonic = monotonic
        self._fence: int | None = None
        self._failures: dict[JobKey, int] = {}
        self._steps = StepClock()
        self.last_round = monotonic()

    def again(self, key: JobKey, seconds: float) -> None:
        """Look at the job in so many seconds."""
        self._parts.timers.wake(key, self._monotonic() + seconds)

    async def run(self) -> None:
        """Work while leading, wait while not; until cancelled."""
        while True:
            self.last_round = self._monotonic()
            fence = self._parts.election.fence
            if fence is None:
                await self._stand_by()
                continue
            try:
                if fence != self._fence:
                    await self._begin(fence)
                await self._wait()
                await self._round(fence)
            except errors.DeposedError as error:
                self._parts.election.deposed(error.seen)
            except RedisError as error:
                metrics.RECONCILE_ERRORS.labels("redis").inc()
                self._parts.contact.failed(error)
                await asyncio.sleep(_REDIS_PAUSE_SECONDS)
            except Exception:  # noqa: BLE001  # nothing stops the loop
                # A defect. The jobs of the round come back with the next sweep; the others go on.
                metrics.RECONCILE_ERRORS.labels("loop").inc()
                _log.exception("A round of the loop failed")
                await asyncio.sleep(_BACKOFF_SECONDS)

    async def _stand_by(self) -> None:
        if self._fence is not None:
            self._fence = None
            self._parts.writer.forget()
            self._parts.orphans.clear()
            self._parts.admission.clear()
            self._parts.timers.clear()
        self._parts.store.take_gone()  # the leader sees them, too
        await self._parts.election.changed(_IDLE_SECONDS)

    async def _begin(self, fence: int) -> None:
        """A tenure begins: assert the epoch, and look at every job and every record."""
        await self._parts.contact.check(fence)
        self._parts.writer.forget()
        self._parts.admission.clear()
        self._parts.store.mark_all()
        self._sweep("leading")
        self._fence = fence

    async def _wait(self) -> None:
        """Until something is to be done; then a moment more, so that changes gather."""
        store, now = self._parts.store, self._monotonic()
        if store.dirty >= _BATCH_JOBS:
            await asyncio.sleep(0)
            return
        times = (self._parts.timers.next_at(), self._parts.orphans.next_at())
        until = min([now + _IDLE_SECONDS, *(at for at in times if at is not None)])
        if not store.changed.is_set() and until > now:
            try:
                async with asyncio.timeout(until - now):
                    await store.changed.wait()
            except TimeoutError:
                return
        store.changed.clear()
        await asyncio.sleep(self._batch_seconds)

    async def _round(self, fence: int) -> None:
        parts, now = self._parts, self._monotonic()
        for key in parts.timers.due(now):
            parts.store.mark(key)
        gone = parts.store.take_gone()
        for key in (job.key for job in gone):
            self._failures.pop(key, None)
            self._steps.forget(key.job_id)
            parts.admission.gone(key)
            parts.timers.cancel(key)
        parts.orphans.add_deleted(gone, now)
        await parts.orphans.round(fence, now)
        for key in parts.admission.admit(parts.observer.queues.waiting, now):
            parts.store.mark(key)
        keys = parts.store.take_dirty(_BATCH_JOBS)
        metrics.DIRTY.set(parts.store.dirty)
        if parts.store.dirty:
            parts.store.changed.set()
        jobs = [job for key in keys if (job := parts.store.get(key)) is not None and job.ours]
        if not jobs:
            return
        try:
            with metrics.BATCH_TIME.time():
                await self._batch(jobs, fence)
        except (RedisError, errors.DeposedError, asyncio.CancelledError):
            self._mark(jobs)
            raise
        except Exception:  # noqa: BLE001  # one bad job never stops the others
            metrics.RECONCILE_ERRORS.labels("loop").inc()
            _log.exception("A batch of %d jobs failed; they are done one at a time", len(jobs))
            await self._one_at_a_time(jobs, fence)
        metrics.BATCH_JOBS.observe(len(jobs))

    async def _one_at_a_time(self, jobs: Sequence[Job], fence: int) -> None:
        for index, job in enumerate(jobs):
            self.last_round = self._monotonic()
            try:
                await self._batch([job], fence)
            except (RedisError, errors.DeposedError, asyncio.CancelledError):
                self._mark(jobs[index:])
                raise
            except Exception:  # noqa: BLE001  # as in a round
                metrics.RECONCILE_ERRORS.labels("loop").inc()
                _log.exception("%s/%s could not be looked at", job.key.namespace, job.key.name)
                self.again(job.key, self._backoff(job.key))

    async def _batch(self, jobs: Sequence[Job], fence: int) -> None:
        seen = await self._parts.observer.observe([Subject(job.task, job.queue) for job in jobs])
        if any(_surprising(job, one) for job, one in zip(jobs, seen.observations, strict=True)):
            # Before anything is concluded from what Redis lacks: has it forgotten things?
            if await self._parts.contact.check(fence):
                self._mark(jobs)
                return
            seen = await self._parts.observer.observe([Subject(job.task, job.queue) for job in jobs])
        planned = self._plan(jobs, seen)
        if self._parts.election.fence != fence:
            self._mark(jobs)
            return
        orders = [Order(one.job.key, one.job, one.job.attempt, one.plan.actions) for one in planned if one.plan.actions]
        results = await self._parts.actor.act(orders, fence)
        for queue in results.ordered:
            self._parts.observer.queues.sent(queue)  # so that they are waited for, and not repeated
        for one in planned:
            self._follow(one, results, seen.now)
        self._report(results)

    def _plan(self, jobs: Sequence[Job], seen: Seen) -> list[_Planned]:
        planned = []
        for job, one in zip(jobs, seen.observations, strict=True):
            admitted = self._parts.admission.take(job.key)
            try:
                made = plan.plan(job, one, seen.now, self._timing, admitted=admitted)
            except Exception:  # noqa: BLE001  # one bad job never stops the others
                metrics.RECONCILE_ERRORS.labels("plan").inc()
                _log.exception("%s/%s could not be planned", job.key.namespace, job.key.name)
                self.again(job.key, self._backoff(job.key))
                continue
            self._parts.admission.wants(job.key, wants=made.wants_dispatch)
            running = one.claim is not None and one.end is None
            self._steps.report(job.key.job_id, one.progress if running else None, seen.now)
            planned.append(_Planned(job, one, made))
        return planned

    def _follow(self, one: _Planned, results: Results, now: datetime) -> None:
        parts, key, made = self._parts, one.job.key, one.plan
        if key in results.failed:
            # Nothing is said in the status before it is so.
            self.again(key, self._backoff(key))
            return
        self._failures.pop(key, None)
        if key in results.sent:
            parts.observer.queues.sent(results.sent[key])
            parts.admission.sent(key)
        parts.writer.offer(one.job, made.status, made.events)
        if key in results.changed:
            parts.store.mark(key)
        if made.wake_at is not None:
            self.again(key, max(0.0, (made.wake_at - now).total_seconds()))

    def _report(self, results: Results) -> None:
        if results.failed:
            metrics.RECONCILE_ERRORS.labels("act").inc(len(results.failed))
            key, why = next(iter(results.failed.items()))
            _log.warning(
                "%d jobs could not be acted on and are tried again (first: %s/%s: %s)",
                len(results.failed),
                key.namespace,
                key.name,
                why,
            )

    def _mark(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._parts.store.mark(job.key)

    def _backoff(self, key: JobKey) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return min(_BACKOFF_MAX_SECONDS, _BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))


def _surprising(job: Job, seen: Observation) -> bool:
    """Redis lacks what the status says was there: it may have forgotten, or the job ended as an older version."""
    phase = job.status.phase
    if phase in (Phase.RUNNING, Phase.CANCELLING):
        return job.status.worker is not None and seen.claim is None and seen.end is None
    return phase is Phase.QUEUED and seen.record is None
