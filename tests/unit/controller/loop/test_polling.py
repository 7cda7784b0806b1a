"""Redis polling: which queues are read, and which jobs are enqueued."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
from reconstruction_operator.broker.backlog import Backlog, FoundMessages
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop import polling
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.state import results

from tests.support.controller.entries import entry_of, names
from tests.support.jobs import make_body
from tests.support.refs import make_attempt


class Queues:
    """The facts, a broker with messages in its queues, and a cache."""

    def __init__(self, state: fakeredis.FakeAsyncRedis) -> None:
        self.cache = Cache()
        self.facts = QueueFacts()
        self.lengths = {"celery": 3}
        self.messages, self.now = SentMessages(resend_seconds=15), 0.0
        connection = SimpleNamespace(memory_share=0.5, epoch="epoch-1")
        self.view: Any = SimpleNamespace(
            state=state,
            keys=Keys(),
            queues=self.facts,
            messages=self.messages,
            connection=connection,
            catalogue=Catalogue(),
        )
        self.orphans: Any = SimpleNamespace(queues=set)

    async def measure(self, queues: Collection[str]) -> Backlog:
        return Backlog({queue: self.lengths.get(queue, 0) for queue in queues})

    async def search(self, queues: Collection[str]) -> Mapping[str, FoundMessages]:
        return dict.fromkeys(queues, FoundMessages())

    async def read(self) -> None:
        actor: Any = self
        await polling.read_queues(self.cache, self.view, actor, self.orphans, self.now)


@pytest.fixture
async def queues() -> AsyncIterator[Queues]:
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as state:
        yield Queues(state)


async def test_only_queues_with_workers_messages_or_orphans_are_read(queues: Queues) -> None:
    """Users name queues freely, so their number must cost nothing."""
    queues.cache.put(make_body("waits", phase="Pending", spec={"queue": "unserved"}))
    queues.orphans.queues = lambda: {"celery"}

    await queues.read()

    assert queues.facts.messages == {"celery": 3}


async def test_a_job_whose_message_is_missing_is_enqueued(queues: Queues) -> None:
    queues.cache.put(make_body("waits", phase="Queued", attempt=1))
    await queues.read()
    queues.cache.take(1)

    for queues.now in (15.0, 16.0):
        assert not queues.messages.is_missing(entry_of(queues.cache, "waits"), make_attempt("uid-waits"))
        assert queues.cache.queued == 0
        await queues.read()

    assert queues.messages.is_missing(entry_of(queues.cache, "waits"), make_attempt("uid-waits"))
    assert names(queues.cache.take(1)) == ["waits"]


async def test_the_queue_of_an_order_to_delete_files_is_read_until_it_is_empty(queues: Queues) -> None:
    """Otherwise the order would count as lost, and be sent again and again."""
    queues.facts.sent("celery")
    for length in (3, 2, 1, 0):
        queues.lengths["celery"] = length
        await queues.read()
        assert queues.facts.messages["celery"] == length
    await queues.read()
    assert queues.facts.messages == {}


async def test_jobs_are_enqueued_when_their_queue_loses_its_workers(queues: Queues) -> None:
    queues.cache.put(make_body("waits", phase="Queued"))
    queues.cache.put(make_body("runs", phase="Running"))
    queues.cache.take(2)

    await queues.read()  # the first reading finds no worker

    assert names(queues.cache.take(2)) == ["waits"]
    await queues.read()
    assert queues.cache.queued == 0


async def test_a_job_is_enqueued_as_soon_as_the_state_of_its_task_changes(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def subscribe(_client: None) -> AsyncIterator[str | None]:
        for task_id in ("uid-another-1", "not-a-task", "uid-job-1"):
            yield task_id

    monkeypatch.setattr(results, "subscribe", subscribe)
    queues.view.results = None
    for name in ("job", "waits"):
        queues.cache.put(make_body(name, phase="Queued", attempt=1))
    queues.cache.take(2)

    await polling.poll_results(queues.cache, queues.view)

    assert names(queues.cache.take(2)) == ["job"]
