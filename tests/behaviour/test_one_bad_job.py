"""One bad job, or one bad record of a job that is gone, never stops the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import Record
from reconstruction_operator.controller.kube.election import Election
from reconstruction_operator.controller.loop import reconciler
from reconstruction_operator.controller.loop import sweeper as sweeping
from reconstruction_operator.controller.loop.actor import Order, Results
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.timers import Timers
from reconstruction_operator.controller.redis_view.observer import QueueFacts, Seen, Subject
from reconstruction_operator.planning import plan
from reconstruction_operator.planning.types import Observation, Timing
from reconstruction_operator.state import calls, errors, reads

from tests.support.jobs import make_body

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMING = Timing(
    lost_after_seconds=60.0,
    epoch_grace_seconds=60.0,
    resend_seconds=60.0,
    backoff_seconds=1.0,
    backoff_max_seconds=60.0,
    cancel_ttl_seconds=3_600.0,
    progress_seconds=1.0,
)


class Actor:
    """Notes whose orders it got."""

    def __init__(self) -> None:
        self.acted: list[str] = []

    async def act(self, orders: Sequence[Order], _fence: int) -> Results:
        self.acted += [order.key.job_id for order in orders]
        return Results(ordered=["gpu"])


class Observer:
    """Stumbles over one job; of the others there is a record."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.seen: list[str] = []
        self.queues = QueueFacts()

    async def observe(self, subjects: Sequence[Subject]) -> Seen:
        job_ids = [one.task.job_id for one in subjects]
        if self.error is not None and "uid-bad" in job_ids:
            raise self.error
        self.seen += job_ids
        records = [Record("install", "default", one, 1, "celery") for one in job_ids]
        return Seen(NOON, tuple(Observation(record=one) for one in records))


def key(name: str) -> JobKey:
    return JobKey("default", name, f"uid-{name}")


class Loop:
    """The loop, with three jobs of which the second is bad."""

    def __init__(self, error: Exception) -> None:
        self.store, self.observer, self.timers = Store(), Observer(error), Timers()
        for name in ("first", "bad", "last"):
            self.store.put(make_body(name))
        nothing = SimpleNamespace(offer=lambda *_: None)
        admission = SimpleNamespace(
            admit=lambda *_: (), take=lambda _: False, wants=lambda *_, **__: None, sent=lambda _: None
        )
        orphans = Orphans(self.observer, Actor(), timing=TIMING, ours=lambda _: True)  # type: ignore[arg-type]
        parts: Any = SimpleNamespace(
            store=self.store,
            observer=self.observer,
            actor=Actor(),
            writer=nothing,
            election=SimpleNamespace(fence=1),
            contact=None,
            admission=admission,
            orphans=orphans,
            timers=self.timers,
        )
        self.reconciler = reconciler.Reconciler(
            parts, timing=TIMING, batch_seconds=0.0, sweep=lambda _: None, monotonic=lambda: 100.0
        )

    async def round(self) -> None:
        await self.reconciler._round(1)


@pytest.mark.parametrize("error", [OverflowError("x"), errors.UnexpectedReplyError("observe", 7)], ids=repr)
async def test_a_batch_that_fails_is_done_one_at_a_time(error: Exception) -> None:
    loop = Loop(error)

    await loop.round()

    assert loop.observer.seen == ["uid-first", "uid-last"]
    assert loop.observer.queues.of("gpu").waiting == 2  # what was ordered for the good ones is counted
    assert loop.store.dirty == 0
    assert loop.timers.due(100.5) == []
    assert key("bad") in loop.timers.due(101.0)  # the bad one waits for its backoff


@pytest.mark.parametrize(
    "error", [redis.ConnectionError(), errors.DeposedError(fence=1, seen=2)], ids=lambda one: type(one).__name__
)
async def test_without_redis_or_leadership_all_of_the_batch_is_kept(error: Exception) -> None:
    loop = Loop(error)

    with pytest.raises(type(error)):
        await loop.round()

    assert (loop.observer.seen, loop.store.dirty) == ([], 3)


async def test_a_record_that_cannot_be_planned_stops_no_other_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan.plan_orphan

    def stumble(job_id: str, *args: Any) -> Any:
        if job_id == "uid-bad":
            raise OverflowError("date value out of range")
        return planned(job_id, *args)

    monkeypatch.setattr(plan, "plan_orphan", stumble)
    actor = Actor()
    orphans = Orphans(Observer(), actor, timing=TIMING, ours=lambda _: True)  # type: ignore[arg-type]
    orphans.add(["uid-first", "uid-bad", "uid-last"], 0.0)

    await orphans.round(1, 0.0)

    assert set(actor.acted) == {"uid-first", "uid-last"}
    assert "uid-bad" in orphans
    actor.acted.clear()
    monkeypatch.undo()
    await orphans.round(1, 20.0)
    assert "uid-bad" in actor.acted


@pytest.mark.parametrize(("seen", "next_above"), [(7, 7), (2_000_000_000, 2_000_000_000), (10**15, 2_000_000_000)])
def test_the_next_fence_fits_the_lease_whatever_redis_says(seen: int, next_above: int) -> None:
    api: Any = None
    election = Election(api, namespace="n", name="l", identity="me", duration_seconds=15.0)
    election.deposed(seen)
    assert election._at_least == next_above


async def test_folders_that_never_go_do_not_hold_up_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "FOLDERS_BATCH", 1)
    asked: list[str] = []

    async def answer(_client: object, call: calls.Call[Any]) -> Any:
        asked.append(call.script.name)
        return {"job": Record("", "", "", 1, "")} if call.script.name == "list_folders" else None

    monkeypatch.setattr(calls, "arun", answer)
    nothing: Any = None
    sweeper = sweeping.Sweeper(
        nothing,
        nothing,
        Store(),
        nothing,
        keys=Keys(prefix=""),
        install_id="install",
        namespaces=(),
        periods=sweeping.Periods(60.0, 60.0),
        fence=lambda: 1,
    )

    await sweeper._look_at_folders(1)

    assert asked.count("list_folders") == 100
