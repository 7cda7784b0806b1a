"""Feed: what kopf's requests store in the cache, and which responses kopf gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.feed import Feed, KubeResponse
from reconstruction_operator.telemetry import metrics

from tests.support.controller.clock import Clock
from tests.support.controller.entries import entry_of, names
from tests.support.jobs import make_body, make_key
from tests.support.servers.api_server import PATH, ApiServer


def skipped(response: str) -> float:
    return metrics.REGISTRY.get_sample_value("reconstruction_objects_skipped_total", {"response": response}) or 0.0


class Watching:
    """kopf's session, and the feed in it."""

    def __init__(self, session: aiohttp.ClientSession, feed: Feed, cache: Cache, clock: Clock) -> None:
        self.session = session
        self.feed = feed
        self.cache = cache
        self.clock = clock

    async def relisted(self) -> None:
        """Return when a second list of all jobs is complete."""
        while not self.cache.relisted:  # noqa: ASYNC110  # the sweeper, which reads it, waits for no event
            await asyncio.sleep(0.01)

    async def relist(self) -> Any:
        async with self.session.get(PATH, params={"limit": "500"}) as answer:
            return await answer.json()

    async def watch(self) -> list[dict[str, Any]]:
        async with self.session.get(PATH, params={"watch": "true"}) as answer:
            text = b"".join([chunk async for chunk in answer.content.iter_chunked(1 << 20)])
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(
        *(make_body(f"over-{number}", phase="Succeeded", observedGeneration=1) for number in range(5)),
        *(make_body(f"lives-{number}", phase="Running") for number in range(3)),
    )


@asynccontextmanager
async def serve(server: ApiServer) -> AsyncIterator[Watching]:
    """The server, and a feed that sends it requests."""
    cache = Cache()
    clock = Clock()
    async with server.run() as api:
        feed = Feed(api, cache, (), backoff_seconds=0.0, monotonic=clock)
        task = asyncio.create_task(feed.run())
        async with aiohttp.ClientSession(server.url, response_class=KubeResponse, middlewares=[feed]) as session:
            yield Watching(session, feed, cache, clock)
        task.cancel()


@pytest.fixture
async def watching(server: ApiServer) -> AsyncIterator[Watching]:
    async with serve(server) as watching:
        yield watching


async def test_kopf_gets_a_list_without_objects_once_the_unfinished_jobs_are_cached(
    server: ApiServer, watching: Watching
) -> None:
    server.blocked = asyncio.Event()

    answer = await watching.relist()

    assert answer == {"metadata": {"resourceVersion": "100"}, "items": []}
    assert watching.cache.listed.is_set()
    assert not watching.cache.complete.is_set()
    assert set(names(watching.cache)) == {"lives-0", "lives-1", "lives-2"}


async def test_without_a_list_of_the_unfinished_jobs_all_are_listed_first_and_once(
    server: ApiServer, watching: Watching
) -> None:
    """Without a watch cache an API server reads all objects to select some, which may outlast a request."""
    server.selections_that_fail = 2

    await watching.relist()

    assert (len(watching.cache), watching.cache.complete.is_set(), server.asked.count("page")) == (8, True, 4)
    assert not watching.cache.relisted


@pytest.mark.parametrize(("selections", "pages"), [(0, 2), (2, 10)], ids=["unfinished-first", "all-first"])
async def test_after_a_failed_list_the_cache_counts_as_relisted(
    selections: int, pages: int, server: ApiServer, watching: Watching
) -> None:
    """Jobs that it brought may be deleted before the version from which kopf watches after the next list."""
    server.selections_that_fail = selections
    server.later_pages_that_fail = pages
    with contextlib.suppress(aiohttp.ClientConnectionError):
        await watching.relist()

    await watching.relist()

    assert watching.cache.relisted


async def test_a_rejected_list_is_passed_on_to_kopf(server: ApiServer, watching: Watching) -> None:
    server.status = 403
    watching.clock.now += 500
    assert watching.feed.dead

    async with watching.session.get(PATH, params={"limit": "500"}) as answer:
        assert answer.status == 403
    assert not watching.cache.listed.is_set()
    assert (watching.feed.answered_seconds(), watching.feed.stale, watching.feed.dead) == (None, True, False)


@pytest.mark.parametrize(
    ("seconds", "stale", "dead"), [(90, False, False), (91, True, False), (160, True, False), (161, True, True)]
)
async def test_the_cache_is_current_for_as_long_as_a_watch_and_a_request_may_take(
    watching: Watching, seconds: int, stale: bool, dead: bool
) -> None:
    assert (watching.feed.stale, watching.feed.dead) == (True, False)  # no response yet
    await watching.relist()
    watching.clock.now += seconds

    assert (watching.feed.answered_seconds(), watching.feed.stale, watching.feed.dead) == (seconds, stale, dead)


async def test_a_failed_page_is_requested_again_and_the_list_continues(server: ApiServer, watching: Watching) -> None:
    server.blocked = asyncio.Event()
    await watching.relist()

    server.failures = 2
    server.blocked.set()
    await watching.cache.complete.wait()

    assert server.asked.count("page") == 4 + 2


async def test_a_second_list_during_the_list_of_all_jobs_starts_another_one(
    server: ApiServer, watching: Watching
) -> None:
    """The list in progress began before the watch missed anything."""
    server.blocked = asyncio.Event()
    await watching.relist()
    await watching.relist()
    assert not watching.cache.complete.is_set()

    server.blocked.set()
    async with asyncio.timeout(10):
        await watching.relisted()

    assert server.asked.count("page") == 2 * 4


async def test_kopf_gets_each_event_cut_to_identity_and_version(server: ApiServer, watching: Watching) -> None:
    server.put("ADDED", make_body("a", version=101))
    server.put("MODIFIED", make_body("a", version=102, phase="Running"))
    server.put("DELETED", make_body("b", version=103))
    server.put("BOOKMARK", {"metadata": {"resourceVersion": "104"}})

    *events, bookmark = await watching.watch()

    assert [(event["type"], event["object"]["metadata"]) for event in events] == [
        (kind, {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": version})
        for kind, name, version in (("ADDED", "a", "101"), ("MODIFIED", "a", "102"), ("DELETED", "b", "103"))
    ]
    assert all(set(event["object"]) == {"apiVersion", "kind", "metadata"} for event in events)
    assert bookmark["object"]["metadata"]["resourceVersion"] == "104"


async def test_kopf_gets_a_bookmark_for_an_event_that_the_cache_has(server: ApiServer, watching: Watching) -> None:
    """As after each of the operator's own writes, of which a thousand running jobs cause hundreds a second."""
    watching.cache.put(make_body("a", version=102, phase="Running"))
    for version in (101, 102, 103):
        server.put("MODIFIED", make_body("a", version=version, phase="Running"))
    server.put("DELETED", make_body("a", version=102))

    events = await watching.watch()

    assert [(event["type"], event["object"]["metadata"]["resourceVersion"]) for event in events] == [
        ("BOOKMARK", "101"),
        ("BOOKMARK", "102"),
        ("MODIFIED", "103"),
        ("DELETED", "102"),
    ]


async def test_the_handler_applies_the_newest_event_of_an_object(server: ApiServer, watching: Watching) -> None:
    cache, feed = watching.cache, watching.feed
    server.put("ADDED", make_body("a", version=101))
    server.put("MODIFIED", make_body("a", version=102, phase="Running"))
    server.put("DELETED", make_body("b", version=103))
    await watching.watch()
    assert cache.entry("uid-a") is None

    for name, kind in (("a", "ADDED"), ("a", "MODIFIED"), ("b", "DELETED")):
        feed.handle(make_key(name), kind)

    assert (entry_of(cache, "a").job.version, names(cache.take(9)), cache.saw_deletion("uid-b")) == (102, ["a"], True)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"no JSON", id="no JSON"),
        pytest.param(b'{"type": "MODIFIED", "object": {"metadata": {', id="cut off"),
        pytest.param(b'{"type": "MODIFIED", "object": {"metadata": {"name": "\xff\xfe"}}}', id="no UTF-8"),
        pytest.param(b'{"type": "MODIFIED", "object": {"spec": {}}}', id="without metadata"),
        pytest.param(b'{"type": "MODIFIED", "object": [1]}', id="no object"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
async def test_an_event_that_cannot_be_read_is_skipped_and_counted(
    server: ApiServer, watching: Watching, line: bytes
) -> None:
    before = skipped("watch")
    server.events.append(line + b"\n")
    server.put("MODIFIED", make_body("a", version=102))

    lines = await watching.watch()

    assert [event["object"]["metadata"]["name"] for event in lines] == ["a"]
    assert skipped("watch") == before + 1


@pytest.mark.parametrize("field", ["spec", "status"])
async def test_an_object_of_a_list_that_cannot_be_read_is_skipped_and_counted(
    server: ApiServer, watching: Watching, field: str
) -> None:
    before = skipped("list")
    server.bodies[5][field]["queue"] = "MARK"
    server.replaced = (b"MARK", b"\xff\xfe")

    await watching.relist()
    await watching.cache.complete.wait()

    assert sorted(names(watching.cache)) == sorted(
        body["metadata"]["name"] for body in server.bodies if body is not server.bodies[5]
    )
    assert skipped("list") == before + 2  # in the list of the unfinished jobs, and in that of all
