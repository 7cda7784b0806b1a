"""Watch: how old its last answer is, and what an event does to the cache. The watch itself is in tests/real."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp
import pytest
from aiohttp import test_utils, web
from reconstruction_operator.controller.kube import watch
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.watch import WatchAge

from tests.support.jobs import make_body, make_key

KEY = make_key()


class Clock:
    """Seconds that the test chooses."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def age(clock: Clock) -> WatchAge:
    return WatchAge(clock)


@pytest.fixture
async def session(age: WatchAge) -> AsyncIterator[test_utils.TestClient[web.Request, web.Application]]:
    """A session with the watch's hooks, and a server that answers with the status in the path."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    application = web.Application()
    application.router.add_get("/{status}", answer)
    async with test_utils.TestClient(
        test_utils.TestServer(application), trace_configs=[age.tracing()], timeout=aiohttp.ClientTimeout(30)
    ) as client:
        yield client


type_of_session = test_utils.TestClient[web.Request, web.Application]


def test_a_watch_that_was_never_answered_is_stale(age: WatchAge) -> None:
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
async def test_a_refusal_shows_that_the_watch_lives_and_not_that_the_cache_is_current(
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


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
def test_a_listed_added_or_changed_object_is_put_into_the_cache(kind: str | None) -> None:
    cache = Cache()
    watch.take(cache, {"type": kind, "object": make_body()})
    assert (cache.take(10), cache.get(KEY) is None) == ([KEY], False)


def test_a_deleted_object_is_removed_for_good() -> None:
    cache = Cache()
    watch.take(cache, {"type": "ADDED", "object": make_body()})
    watch.take(cache, {"type": "DELETED", "object": make_body()})
    watch.take(cache, {"type": "MODIFIED", "object": make_body(version=99)})
    assert (cache.get(KEY), [job.key for job in cache.take_deleted()]) == (None, [KEY])


@pytest.mark.parametrize(
    "event", [{"type": "DELETED", "object": {}}, {"type": "DELETED", "object": None}, {"type": None}]
)
def test_an_event_without_an_object_changes_nothing(event: dict[str, object]) -> None:
    cache = Cache()
    watch.take(cache, event)
    assert (len(cache), cache.take_deleted()) == (0, [])


def test_pauses_between_retries_never_end_and_stay_short() -> None:
    pauses = list(itertools.islice(watch._Backoffs(), 10_000))
    assert (pauses[:4], len(pauses), max(pauses)) == ([0.2, 0.5, 1.0, 2.0], 10_000, 2.0)
