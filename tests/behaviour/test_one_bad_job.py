"""One bad job, or one bad orphaned record, never stops the others."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.records import Record
from reconstruction_operator.controller.entry import Subject
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.actor import ActResults, JobActions
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.observer import ObservedBatch
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.state import calls

from tests.support.controller.dispatch import make_admission
from tests.support.controller.entries import entry_of, names
from tests.support.controller.loops import make_reconciler
from tests.support.jobs import NOON, make_body, make_key
from tests.support.plans import TIMING, observed
from tests.support.refs import make_attempt


class Actor:
    """Records for which jobs it acts, and orders the deletion of files."""

    def __init__(self) -> None:
        self.acted: list[str] = []

    async def act(self, batch: Sequence[JobActions], _fence: int) -> ActResults:
        self.acted += [entry.key.job_id for entry in batch]
        return ActResults(ordered=dict.fromkeys((job.key for job in batch), "gpu"))


class Observer:
    """Fails for one job; the others have a record."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.seen: list[str] = []
        self.ends: dict[str, Any] = {}
        self.messages = SentMessages(resend_seconds=15)

    async def observe(self, attempts: Sequence[tuple[Subject, AttemptRef]]) -> ObservedBatch:
        job_ids = [attempt.job_id for _, attempt in attempts]
        if self.error is not None and "uid-bad" in job_ids:
            raise self.error
        self.seen += job_ids
        records = {job_id: Record(make_attempt(job_id, name=job_id, install_id="install")) for job_id in job_ids}
        seen = (observed(record=record, end=self.ends.get(job_id)) for job_id, record in records.items())
        return ObservedBatch(NOON, tuple(seen))


class Loop:
    """The loop, with three jobs of which the second is bad. Its clock stays at 100."""

    def __init__(self, error: Exception) -> None:
        self.cache = Cache(monotonic=lambda: 100.0)
        self.observer = Observer(error)
        self.queues = QueueFacts()
        for name in ("first", "bad", "last"):
            self.cache.put(make_body(name))
        self.reconciler = make_reconciler(
            make_admission(self.cache),
            observer=self.observer,
            actor=Actor(),
            writer=SimpleNamespace(offer=lambda *_: None),
            monotonic=lambda: 100.0,
            queues=self.queues,
            messages=self.observer.messages,
        )

    async def round(self) -> None:
        await self.reconciler.round(1)


@pytest.mark.parametrize("error", [OverflowError("x"), calls.UnexpectedReplyError("observe", 7)], ids=repr)
async def test_the_jobs_of_a_failed_batch_are_reconciled_one_at_a_time(error: Exception) -> None:
    loop = Loop(error)

    await loop.round()

    assert loop.observer.seen == ["uid-first", "uid-last"]
    assert loop.queues.messages["gpu"] == 2  # the orders for the good jobs are counted
    assert loop.cache.queued == 0
    assert loop.cache.timers.due(100.5) == []
    assert "bad" in names(loop.cache.timers.due(101.0))  # the bad job waits for its backoff


@pytest.mark.parametrize(
    "error", [redis.ConnectionError(), calls.DeposedError(fence=1, seen=2)], ids=lambda cause: type(cause).__name__
)
async def test_without_redis_or_the_lease_the_whole_batch_is_enqueued_again(error: Exception) -> None:
    loop = Loop(error)

    with pytest.raises(type(error)):
        await loop.round()

    assert (loop.observer.seen, loop.cache.queued) == ([], 3)


async def test_a_record_that_cannot_be_planned_does_not_stop_other_orphans() -> None:
    actor = Actor()
    observer = Observer()
    observer.ends["uid-bad"] = object()
    orphans = Orphans(observer, actor, Installation("install"), timing=TIMING)
    orphans.add(["uid-first", "uid-bad", "uid-last"], 0.0)

    await orphans.round(1, 0.0)

    assert set(actor.acted) == {"uid-first", "uid-last"}
    assert "uid-bad" in orphans
    actor.acted.clear()
    observer.ends.clear()
    await orphans.round(1, 20.0)
    assert "uid-bad" in actor.acted


async def test_a_job_of_another_controller_is_logged_once_and_its_deletion(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    loop = Loop(ValueError())
    loop.cache.put(make_body("theirs", spec={"managedBy": "example.com/other"}))
    for _ in range(2):
        loop.cache.enqueue(entry_of(loop.cache, "theirs"))
        await loop.round()
    loop.cache.remove(make_key("theirs"))
    await loop.round()

    assert [message for message in caplog.messages if message.startswith("default/theirs")] == [
        "default/theirs: Managed by controller example.com/other: ignored",
        "default/theirs: The object was deleted",
    ]
