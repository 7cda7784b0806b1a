"""Reconciler: takes jobs from the work queue, observes them, plans, acts, and hands the statuses to the writer.

Level-triggered: events only enqueue a job, and their content is not kept. Every failure is retried with a backoff, and
one bad job never stops the others.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator.controller import transition_log
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.loop.actor import Actor, ActResults, JobActions
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.planner import Planner
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.controller.writes.status_writer import StatusWriter
from reconstruction_operator.planning.times import backoff
from reconstruction_operator.planning.types import Job, Plan, Timing
from reconstruction_operator.state import calls
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_BATCH_JOBS: Final = 250  # in one round: bounds how long a round takes
_ROUNDS_SHARE: Final = 0.25  # of the time, for rounds that are not full: under load they are fewer and larger
_PERIOD_MAX_SECONDS: Final = 0.1  # from the start of a round to the next, after one that took long
_IDLE_SECONDS: Final = 1.0  # the longest time without a round
_UNLISTED_SECONDS: Final = 0.1  # the same, until all unfinished jobs are listed: fair turns and quotas need them
_BACKOFF_SECONDS: Final = 1.0  # after a job's failure; doubles
_BACKOFF_MAX_SECONDS: Final = 60.0
_REDIS_PAUSE_SECONDS: Final = 0.5  # after Redis failed


@dataclass(eq=False)
class Reconciler:
    """One loop for all jobs."""

    cache: Cache
    view: RedisView
    election: LeaderElection
    actor: Actor
    writer: StatusWriter
    admission: Admission
    orphans: Orphans
    timing: Timing
    batch_seconds: float
    installation: Installation
    preflight: Preflight
    monotonic: Callable[[], float] = time.monotonic
    _fence: int | None = field(default=None, init=False)  # token of the current tenure
    _planner: Planner = field(init=False)
    _round_at: float = field(init=False)
    _began_at: float = field(default=-math.inf, init=False)  # start of the newest round
    _batch_seconds: float = field(default=0.0, init=False)  # the newest round with jobs

    def __post_init__(self) -> None:
        self._planner = Planner(
            self.cache,
            self.admission,
            self.preflight,
            self.view.catalogue,
            self.installation.mark,
            self.timing,
            self._retry_later,
            self.monotonic,
        )
        self._round_at = self.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Seconds since the newest round, which show whether the loop is alive."""
        return self.monotonic() - self._round_at

    @property
    def serving(self) -> bool:
        """Whether this replica leads, knows all unfinished jobs, and reconciles."""
        return self._fence is not None and self._fence == self.election.fence

    async def run(self) -> None:
        """Reconcile while leading, and wait otherwise, until cancelled."""
        while True:
            self._round_at = self.monotonic()
            if not self.cache.listed.is_set():
                await asyncio.sleep(_UNLISTED_SECONDS)
                continue
            fence = self.election.fence
            if fence is None:
                await self._stand_by()
                continue
            try:
                if fence != self._fence:
                    await self._begin(fence)
                await self._wait()
                await self.round(fence)
            except calls.DeposedError as error:
                self.election.deposed(error.seen)
            except RedisError as error:
                metrics.RECONCILE_ERRORS.labels("redis").inc()
                self.view.connection.failed(error)
                await asyncio.sleep(_REDIS_PAUSE_SECONDS)
            except Exception:  # noqa: BLE001  # nothing stops the loop
                # A defect. The next sweep enqueues the jobs of this round again; all others continue.
                metrics.RECONCILE_ERRORS.labels("loop").inc()
                _log.exception("A round of the loop failed")
                await asyncio.sleep(_BACKOFF_SECONDS)

    async def _stand_by(self) -> None:
        if self._fence is not None:
            self._fence = None
            self.orphans.clear()
            self.cache.reset()
        self.cache.pass_over()
        await self.election.changed(_IDLE_SECONDS)

    async def _begin(self, fence: int) -> None:
        """Begin a tenure: check the epoch, enqueue every job for which work may remain, and request a resync."""
        await self.view.connection.check(fence)
        self.view.begin()
        self.cache.begin()
        self.view.connection.resync.request("leading")
        self._fence = fence

    async def _wait(self) -> None:
        """Wait for work (debounce): changes gather during a round, and a round that follows closely starts after a
        pause.
        """
        cache, now = self.cache, self.monotonic()
        if cache.queued >= _BATCH_JOBS:
            await asyncio.sleep(0)
            return
        times = (cache.timers.next_at(), self.orphans.next_at())
        until = min([now + _IDLE_SECONDS, *(at for at in times if at is not None)])
        if not cache.changed.is_set() and until > now:
            try:
                async with asyncio.timeout(until - now):
                    await cache.changed.wait()
            except TimeoutError:
                return
        cache.changed.clear()
        period = max(self.batch_seconds, min(self._batch_seconds / _ROUNDS_SHARE, _PERIOD_MAX_SECONDS))
        await asyncio.sleep(max(0.0, self._began_at + period - self.monotonic()))

    async def round(self, fence: int) -> None:
        """Reconcile the jobs that are due, once.

        Raises RedisError and DeposedError, after enqueueing the jobs again.
        """
        now = self._began_at = self.monotonic()
        for entry in self.cache.timers.due(now):
            self.cache.enqueue(entry)
        await self._clean_up_deleted(fence, now)
        self._planner.enqueue_admitted()
        self._enqueue(self.admission.give_places(now))
        taken = self.cache.take(_BATCH_JOBS)
        metrics.DIRTY.set(self.cache.queued)
        if self.cache.queued:
            self.cache.changed.set()
        self._leave([entry for entry in taken if entry.job.contested], now)
        entries = [entry for entry in taken if self._ours(entry)]
        if not entries:
            return
        try:
            with metrics.BATCH_TIME.time():
                await self._batch(entries, fence)
        except (RedisError, calls.DeposedError, asyncio.CancelledError):
            self._enqueue(entries)
            raise
        except Exception:  # noqa: BLE001  # one bad job never stops the others
            metrics.RECONCILE_ERRORS.labels("loop").inc()
            _log.exception("A batch of %d jobs failed; they are reconciled one at a time", len(entries))
            await self._one_at_a_time(entries, fence)
        metrics.BATCH_JOBS.observe(len(entries))
        self._batch_seconds = self.monotonic() - now

    def _ours(self, entry: Entry) -> bool:
        job = entry.job
        if not job.ours and not job.contested and not entry.skipped:
            entry.skipped = True
            transition_log.log_step(job.key, "Skipped", f"Managed by controller {job.spec.managed_by}: ignored")
        return job.ours

    async def _clean_up_deleted(self, fence: int, now: float) -> None:
        deleted = self.cache.take_deleted()
        for entry in deleted:
            attempt = entry.job.status.attempt
            transition_log.log_step(entry.key, "Deleted", "The object was deleted", attempt=attempt)
        self.orphans.add_deleted(deleted, now)
        await self.orphans.round(fence, now)

    def _leave(self, contested: Sequence[Entry], now: float) -> None:
        """Report these jobs, which another installation manages, and stop attempts of them that
        this one may have sent.
        """
        for entry, report in self._planner.report_contested(contested):
            self.writer.offer(entry, report.status, report.events)
        left = [entry for entry in contested if entry.left]
        if left:
            _log.info(
                "Another installation manages %d jobs: attempts of them that this one sent are stopped", len(left)
            )
            self.orphans.add((entry.key.job_id for entry in left), now, contested=True)
        for entry in left:
            entry.left = False

    async def _one_at_a_time(self, entries: Sequence[Entry], fence: int) -> None:
        for index, entry in enumerate(entries):
            self._round_at = self.monotonic()
            try:
                await self._batch([entry], fence)
            except (RedisError, calls.DeposedError, asyncio.CancelledError):
                self._enqueue(entries[index:])
                raise
            except Exception:  # noqa: BLE001  # as in a round
                metrics.RECONCILE_ERRORS.labels("loop").inc()
                _log.exception("%s could not be reconciled", entry.key)
                self._retry_later(entry)

    async def _batch(self, entries: Sequence[Entry], fence: int) -> None:
        view = self.view
        jobs = [entry.job for entry in entries]  # which may change meanwhile
        attempts = [(entry, job.task) for entry, job in zip(entries, jobs, strict=True)]
        seen = await view.observer.observe(attempts)
        if seen.went_back or any(state.lacks(job) for job, state in zip(jobs, seen.observations, strict=True)):
            # Missing keys mean nothing if Redis has just lost its data, so check that first.
            if await view.connection.check(fence):
                self._enqueue(entries)
                return
            seen = await view.observer.observe(attempts)
        planned = self._planner.plan(zip(entries, jobs, seen.observations, strict=True), seen.now)
        if self.election.fence != fence:
            self._enqueue(entries)
            return
        actions = [JobActions(job.task, job, plan.actions) for _, job, plan in planned if plan.actions]
        results = await self.actor.act(actions, fence)
        for entry, job, plan in planned:
            self._follow(entry, job, plan, results, seen.now)
        if results.failed:
            metrics.RECONCILE_ERRORS.labels("act").inc(len(results.failed))
            transition_log.log_refusals(results.failed)

    def _follow(self, entry: Entry, job: Job, plan: Plan, results: ActResults, now: datetime) -> None:
        key = job.key
        sent = results.sent.get(key)
        if sent is not None:
            self.view.messages.sent(entry, sent.task, self.monotonic())
            self.admission.sent(entry)
        ordered = results.ordered.get(key)
        if ordered is not None:
            self.view.messages.ordered(entry, key.job_id, ordered, self.monotonic())
            self.view.queues.sent(ordered)
        if key in results.failed:
            self._retry_later(entry)  # the status must not report what was not done
            return
        entry.failures = 0
        if entry not in self.cache or entry.job is not job:
            self.cache.enqueue(entry)  # the job has changed meanwhile, so the plan is out of date
            return
        self.writer.offer(entry, plan.status, plan.events, again=plan.again)
        if key in results.changed:
            self.cache.enqueue(entry)
        if plan.wake_at is not None:
            self.cache.enqueue_after(entry, max(0.0, (plan.wake_at - now).total_seconds()))

    def _enqueue(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.cache.enqueue(entry)

    def _retry_later(self, entry: Entry) -> None:
        entry.failures += 1
        self.cache.enqueue_after(entry, backoff(entry.failures, _BACKOFF_SECONDS, _BACKOFF_MAX_SECONDS))
