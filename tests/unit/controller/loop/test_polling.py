"""Polling: which queues are read, and which jobs are enqueued."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop import polling
from reconstruction_operator.controller.redis_view.queues import QueueFacts

from tests.support.jobs import make_body


class Queues:
    """The facts, a broker with messages in its queues, and a cache."""

    def __init__(self, state: fakeredis.FakeAsyncRedis) -> None:
        self.cache, self.facts, self.lengths = Cache(), QueueFacts(), {"celery": 3}
        self.view: Any = SimpleNamespace(state=state, keys=Keys(), queues=self.facts)
        self.orphans: Any = SimpleNamespace(queues=set)

    async def queue_lengths(self, queues: Sequence[str]) -> dict[str, int]:
        return {queue: self.lengths.get(queue, 0) for queue in queues}

    async def read(self) -> None:
        actor: Any = self
        await polling.read_queues(self.cache, self.view, actor, self.orphans)


@pytest.fixture
async def queues() -> AsyncIterator[Queues]:
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as state:
        yield Queues(state)


async def test_a_queue_in_which_no_job_waits_is_not_read(queues: Queues) -> None:
    await queues.read()

    assert queues.facts.waiting == {}


async def test_the_queue_of_an_order_to_delete_files_is_read_until_it_is_empty(queues: Queues) -> None:
    """Otherwise the order would count as lost, and be sent again and again."""
    queues.facts.sent("celery")
    for length in (3, 2, 1, 0):
        queues.lengths["celery"] = length
        await queues.read()
        assert queues.facts.of("celery").waiting == length
    await queues.read()
    assert queues.facts.waiting == {}


async def test_the_queues_of_orphans_are_read(queues: Queues) -> None:
    queues.orphans.queues = lambda: {"celery"}

    await queues.read()

    assert queues.facts.waiting == {"celery": 3}


async def test_jobs_are_enqueued_when_their_queue_loses_its_workers(queues: Queues) -> None:
    queues.cache.put(make_body("waits", phase="Queued"))
    queues.cache.put(make_body("runs", phase="Running"))
    queues.cache.take(2)

    await queues.read()  # the first reading finds no worker

    assert [key.name for key in queues.cache.take(2)] == ["waits"]
    await queues.read()
    assert queues.cache.queued == 0
