"""Restart with many finished jobs: the requests to the API server, and the jobs that are enqueued."""

from __future__ import annotations

import asyncio

import aiohttp
from reconstruction_operator.controller.kube.feed import Feed, KubeResponse

from tests.support.controller.one_job import Redis, Server, System
from tests.support.jobs import make_body
from tests.support.servers.api_server import PAGE, PATH, ApiServer

FINISHED = 400


async def test_finished_jobs_cost_only_the_pages_of_their_list() -> None:
    finished = [
        make_body(f"finished-{number}", phase="Succeeded", observedGeneration=1, attempt=1, worker="worker-1")
        for number in range(FINISHED)
    ]
    server = ApiServer(*finished, make_body("new"))
    async with Redis() as redis, server.run() as api:
        system = System(redis, Server())  # no status is written
        cache = system.cache
        feed = Feed(api, cache, ())
        listing = asyncio.create_task(feed.run())
        async with aiohttp.ClientSession(server.url, response_class=KubeResponse, middlewares=[feed]) as session:
            await session.get(PATH, params={"limit": "500"})
        await cache.complete.wait()
        listing.cancel()
        cache.begin()
        await system.round()
    system.reconciler.actor.close()

    assert len(cache) == FINISHED + 1
    assert server.asked == ["one", "unfinished page", *["page"] * (FINISHED // PAGE + 1)]
    assert (system.sent, system.redis.asked["observe"], cache.queued) == (["uid-new-1"], 1, 0)
