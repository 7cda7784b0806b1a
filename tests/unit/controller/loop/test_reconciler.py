"""Reconciler: one observation and one plan dispatch a job if there is room; other jobs wait for their admission."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.actor import ActResults, JobActions
from reconstruction_operator.controller.redis_view.observer import ObservedBatch, Subject
from reconstruction_operator.planning.actions import Dispatch
from reconstruction_operator.planning.quotas import Quotas, Rules
from reconstruction_operator.planning.types import Event, Job, Management, Observation

from tests.support.controller.dispatch import make_admission
from tests.support.controller.loops import make_reconciler
from tests.support.jobs import NOON, make_body, make_key


class Loop:
    """The loop, with jobs that are unknown to Redis. It records looks, dispatches and offered statuses."""

    def __init__(
        self, *names: str, management: Management = Management.OURS, rules: Rules | None = None, **window: int
    ) -> None:
        self.now = 100.0
        self.looks: list[str] = []
        self.dispatched: list[str] = []
        self.offered: list[tuple[str, Phase | None]] = []
        self.statuses: list[Status] = []
        self.seen = Observation()
        self.refuses = False  # the broker rejects all messages
        self.management = management
        self.cache = Cache(management=lambda _: self.management, monotonic=lambda: self.now)
        for name in names:
            self.cache.put(make_body(name))
        admission = make_admission(self.cache, rules=rules, **window)
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

    async def observe(self, subjects: Sequence[Subject]) -> ObservedBatch:
        self.looks += [one.task.job_id for one in subjects]
        return ObservedBatch(NOON, tuple(self.seen for _ in subjects))

    async def act(self, batch: Sequence[JobActions], _fence: int) -> ActResults:
        if self.refuses:
            return ActResults(failed={one.key: "full" for one in batch})
        sent = {one.key: action for one in batch for action in one.actions if isinstance(action, Dispatch)}
        self.dispatched += [key.name for key in sent]
        return ActResults(sent=sent)

    def offer(self, job: Job, status: Status, _events: tuple[Event, ...], **_: bool) -> None:
        self.offered.append((job.key.name, status.phase))
        self.statuses.append(status)

    def store(self, name: str) -> None:
        """The API server stores the newest status of the job; from now on all are marked as ours."""
        newest = next(
            status for (of, _), status in reversed(list(zip(self.offered, self.statuses, strict=True))) if of == name
        )
        self.management = Management.OURS
        self.cache.put(make_body(name, version=2, **codec.encode(newest)))


async def test_a_job_that_can_be_dispatched_is_dispatched_in_its_first_round() -> None:
    loop = Loop("a")

    await loop.round()

    assert (loop.looks, loop.dispatched) == (["uid-a"], ["a"])
    assert loop.offered == [("a", Phase.QUEUED)]  # and is never stored as Pending
    assert loop.cache.queued == 0


async def test_jobs_beyond_the_window_are_stored_as_pending() -> None:
    loop = Loop("a", "b", "c", queue=2)

    await loop.round()

    assert loop.dispatched == ["a", "b"]
    assert loop.offered == [("a", Phase.QUEUED), ("b", Phase.QUEUED), ("c", Phase.PENDING)]


async def test_a_waiting_job_that_is_admitted_beside_a_new_one_is_observed_again() -> None:
    loop = Loop("a", "b", queue=1)
    await loop.round()
    loop.looks.clear()
    loop.reconciler.admission.window = make_admission(loop.cache, queue=3).window

    loop.cache.put(make_body("c"))
    await loop.round()
    await loop.round()

    assert loop.dispatched == ["a", "b", "c"]
    assert "uid-b" in loop.looks


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


async def test_new_jobs_that_come_together_are_counted_against_the_quota_of_waiting_jobs() -> None:
    rules = Rules(Quotas(waiting=(("*", 2),)))
    loop = Loop("a", "b", "c", "d", "e", management=Management.UNMARKED, rules=rules, queue=1)

    await loop.round()

    assert [phase for _, phase in loop.offered].count(Phase.FAILED) == 3


async def test_a_job_of_another_installation_is_never_observed() -> None:
    loop = Loop("a", management=Management.FOREIGN)

    await loop.round()

    assert (loop.looks, loop.dispatched, loop.offered) == ([], [], [])


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
