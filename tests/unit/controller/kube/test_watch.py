"""Watch: the requests of kopf, and the age of its last response."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
from aiohttp import test_utils, web
from reconstruction_operator.controller.kube import watch
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.feed import Feed
from reconstruction_operator.controller.kube.watch import WatchAge

from tests.support.controller.clock import Clock
from tests.support.jobs import make_body
from tests.support.servers.api_server import ApiServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def age(clock: Clock) -> WatchAge:
    return WatchAge(clock)


@pytest.fixture
async def session(age: WatchAge) -> AsyncIterator[test_utils.TestClient[web.Request, web.Application]]:
    """A session with the watch's hooks, and a server that responds with the status in the path."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    application = web.Application()
    application.router.add_get("/{status}", answer)
    async with test_utils.TestClient(
        test_utils.TestServer(application), trace_configs=[age.tracing()], timeout=aiohttp.ClientTimeout(30)
    ) as client:
        yield client


type_of_session = test_utils.TestClient[web.Request, web.Application]


def test_a_watch_without_a_response_is_stale(age: WatchAge) -> None:
    assert (age.answered_seconds(), age.stale, age.dead) == (None, True, False)


async def test_the_cache_is_current_for_as_long_as_a_watch_and_a_request_may_take(
    age: WatchAge, clock: Clock, session: type_of_session
) -> None:
    await session.get("/200")
    assert (age.answered_seconds(), age.stale) == (0.0, False)

    clock.now += 90
    assert (age.answered_seconds(), age.stale) == (90.0, False)
    clock.now += 1
    assert (age.stale, age.dead) == (True, False)


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.GONE, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_after_a_rejected_request_the_watch_is_alive_and_stale(
    age: WatchAge, clock: Clock, session: type_of_session, status: HTTPStatus
) -> None:
    clock.now += 500
    assert age.dead

    await session.get(f"/{status}")
    assert (age.stale, age.dead) == (True, False)


async def test_a_watch_that_sends_no_request_for_longer_than_one_may_last_is_dead(
    age: WatchAge, clock: Clock, session: type_of_session
) -> None:
    await session.get("/200")
    clock.now += 160
    assert not age.dead
    clock.now += 1
    assert age.dead


def test_pauses_between_retries_never_end_and_stay_short() -> None:
    pauses = list(itertools.islice(watch._Backoffs(), 10_000))
    assert (pauses[:4], len(pauses), max(pauses)) == ([0.2, 0.5, 1.0, 2.0], 10_000, 2.0)


async def test_kopf_lists_without_objects_and_watches_from_the_versions_of_the_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after an expired watch: with kopf's own lists, each object would cost a queue and a task."""
    server = ApiServer(*(make_body(f"over-{number}", phase="Succeeded", observedGeneration=1) for number in range(5)))
    server.put("ADDED", make_body("new", version=107))
    cache, stopping = Cache(), asyncio.Event()

    async def nothing() -> None:
        """Start nothing."""

    async def end() -> None:
        """End all other tasks, as the operator does: kopf waits 5 s for the rest, including the server's."""
        feeding.cancel()
        server.end_watches()
        await api.close()

    async def watches(count: int) -> None:
        while len(server.watched) < count:  # noqa: ASYNC110  # kopf sends them
            await asyncio.sleep(0.01)

    async def stop() -> None:
        await watches(2)
        server.version = 200
        server.put("ERROR", {"kind": "Status", "code": 410})
        server.end_watches()
        await watches(4)
        stopping.set()

    async with server.run() as api:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(server.kubeconfig))
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        feed = Feed(api, cache, ())
        feeding, stops = asyncio.create_task(feed.run()), asyncio.create_task(stop())
        await watch.watch(feed, WatchAge(), namespaces=(), startup=nothing, cleanup=end, stopping=stopping)
        await stops

    assert server.watched == ["100", "107", "107", "200"]
    assert server.asked.count("one") == 2
    assert (len(cache), cache.relisted) == (6, True)
