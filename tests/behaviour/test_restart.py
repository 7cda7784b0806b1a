"""Restart with many finished jobs: the requests to the API server, and the jobs that are enqueued."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import aiohttp
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.feed import Answer, Feed
from reconstruction_operator.controller.loop.actor import ActResults
from reconstruction_operator.controller.redis_view.observer import ObservedBatch
from reconstruction_operator.planning.types import Observation

from tests.support.controller.dispatch import make_admission
from tests.support.controller.loops import make_reconciler
from tests.support.jobs import NOON, make_body
from tests.support.servers.api_server import PAGE, PATH, ApiServer

FINISHED = 400


class Looks:
    """The parts of a loop that only record which jobs were observed."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def observe(self, attempts: Sequence[tuple[TaskId, str]]) -> ObservedBatch:
        self.seen += [task.job_id for task, _ in attempts]
        return ObservedBatch(NOON, tuple(Observation() for _ in attempts))

    async def act(self, *_: Any) -> ActResults:
        return ActResults()

    def offer(self, *_: Any, **__: Any) -> None:
        """Nothing is written."""


async def test_finished_jobs_cost_only_the_pages_of_their_list() -> None:
    finished = [
        make_body(f"finished-{number}", phase="Succeeded", observedGeneration=1, attempt=1, worker="worker-1")
        for number in range(FINISHED)
    ]
    server, cache, looks = ApiServer(*finished, make_body("new")), Cache(), Looks()
    sent = SimpleNamespace(sent=lambda *_: None)
    admission = make_admission(cache)
    loop = make_reconciler(admission, observer=looks, actor=looks, writer=looks, monotonic=lambda: 1.0, messages=sent)
    async with server.run() as api:
        feed = Feed(api, cache, ())
        listing = asyncio.create_task(feed.run())
        async with aiohttp.ClientSession(server.url, response_class=Answer, middlewares=[feed]) as session:
            await session.get(PATH, params={"limit": "500"})
        await cache.complete.wait()
        listing.cancel()

    cache.begin()
    await loop.round(1)

    assert len(cache) == FINISHED + 1
    assert server.asked == ["one", "unfinished page", *["page"] * (FINISHED // PAGE + 1)]
    assert looks.seen == ["uid-new"]
