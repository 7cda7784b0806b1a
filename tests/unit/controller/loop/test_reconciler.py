"""Reconciler: failures of actions, room of deleted jobs, and pauses between rounds. What a job costs: tests/behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.actor import ActResults, JobActions
from reconstruction_operator.controller.redis_view.observer import ObservedBatch
from reconstruction_operator.planning.actions import Dispatch
from reconstruction_operator.planning.types import Job, Observation

from tests.support.controller.dispatch import make_admission
from tests.support.controller.loops import make_reconciler
from tests.support.jobs import NOON, make_body, make_key


class Loop:
    """The loop, with jobs that are unknown to Redis. It records dispatches and offered statuses."""

    def __init__(self, *names: str, **window: int) -> None:
        self.now = 100.0
        self.dispatched: list[str] = []
        self.offered: list[str] = []
        self.refuses = False  # the broker rejects all messages
        self.cache = Cache(monotonic=lambda: self.now)
        for name in names:
            self.cache.put(make_body(name))
        admission = make_admission(self.cache, **window)
        self.reconciler = make_reconciler(
            admission,
            observer=self,
            actor=self,
            writer=self,
            monotonic=lambda: self.now,
            messages=SimpleNamespace(sent=lambda *_: None),
        )

    async def round(self) -> None:
        self.now += 1.0
        await self.reconciler.round(1)

    async def observe(self, attempts: Sequence[tuple[TaskId, str]]) -> ObservedBatch:
        return ObservedBatch(NOON, (Observation(),) * len(attempts))

    async def act(self, batch: Sequence[JobActions], _fence: int) -> ActResults:
        if self.refuses:
            return ActResults(failed={job.key: "full" for job in batch})
        sent = {job.key: action for job in batch for action in job.actions if isinstance(action, Dispatch)}
        self.dispatched += [key.name for key in sent]
        return ActResults(sent=sent)

    def offer(self, job: Job, *_: object, **__: bool) -> None:
        self.offered.append(job.key.name)


async def test_a_dispatch_that_the_broker_rejected_is_not_stored_and_is_repeated_soon() -> None:
    loop = Loop("a")
    loop.refuses = True
    await loop.round()
    assert loop.offered == []

    loop.refuses = False
    loop.now += 60.0
    await loop.round()
    await loop.round()
    assert loop.dispatched == ["a"]


async def test_a_job_that_is_missing_takes_no_room_in_the_window() -> None:
    """A list lacks it, and its clean-up is held."""
    loop = Loop("a", queue=5, namespace=1)
    await loop.round()
    loop.cache.put(make_body("b"))
    await loop.round()
    assert loop.dispatched == ["a"]

    loop.cache.drop(make_key("a"))
    await loop.round()
    await loop.round()
    assert loop.dispatched == ["a", "b"]


async def test_a_change_after_a_pause_is_planned_at_once() -> None:
    loop = Loop("a")
    loop.reconciler.batch_seconds = 3_600.0

    async with asyncio.timeout(10.0):
        await loop.reconciler._wait()


async def test_between_two_rounds_changes_gather() -> None:
    loop = Loop("a")
    loop.reconciler.batch_seconds = 3_600.0
    await loop.round()
    loop.cache.put(make_body("b"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await loop.reconciler._wait()

    loop.now += 3_600.0
    loop.cache.put(make_body("c"))
    async with asyncio.timeout(10.0):
        await loop.reconciler._wait()
