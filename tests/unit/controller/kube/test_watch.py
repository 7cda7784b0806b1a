"""Watch: the requests of kopf, and its retries."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from reconstruction_operator.controller.kube import watch
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.feed import Feed

from tests.support.jobs import make_body
from tests.support.plugin import write_kubeconfig
from tests.support.servers.api_server import ApiServer


def test_pauses_between_retries_never_end_and_stay_short() -> None:
    pauses = list(itertools.islice(watch._Backoffs(), 10_000))
    assert (pauses[:4], len(pauses), max(pauses)) == ([0.2, 0.5, 1.0, 2.0], 10_000, 2.0)


async def test_kopf_watches_from_the_versions_of_the_feed_and_its_handler_applies_each_new_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after an expired watch: with kopf's own lists, each object would cost a queue and a task."""
    listed = make_body("runs", version=110, phase="Running")
    server = ApiServer(
        *(make_body(f"over-{number}", phase="Succeeded", observedGeneration=1) for number in range(4)), listed
    )
    server.put("ADDED", make_body("new", version=107))
    server.put("MODIFIED", listed)  # the cache has it
    cache = Cache()
    stopping = asyncio.Event()

    async def nothing() -> None:
        """Start nothing."""

    async def end() -> None:
        """End all other tasks, as the operator does: kopf waits 5 s for the rest, including the server's."""
        feeding.cancel()
        server.end_watches()
        await api.close()

    async def watches(count: int, *, relisted: bool) -> None:
        while len(server.watched) < count or cache.relisted is not relisted:  # noqa: ASYNC110  # kopf sends them
            await asyncio.sleep(0.01)

    async def stop() -> None:
        await watches(2, relisted=False)
        server.version = 200
        server.put("ERROR", {"kind": "Status", "code": 410})
        server.end_watches()
        await watches(4, relisted=True)
        stopping.set()

    async with server.run() as api:
        monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path, urlsplit(server.url).port or 0)))
        feed = Feed(api, cache, ())
        feeding = asyncio.create_task(feed.run())
        stops = asyncio.create_task(stop())
        await watch.watch(feed, namespaces=(), startup=nothing, cleanup=end, stopping=stopping)
        await stops

    assert server.watched == ["100", "110", "110", "200"]
    assert server.asked.count("one") == 2
    assert (len(cache), cache.relisted) == (6, True)  # with the new job, which only the handler stores
