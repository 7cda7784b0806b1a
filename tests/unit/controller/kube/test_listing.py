"""Listing: every page of every namespace, or an error; never a part of the jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import test_utils, web
from kubernetes.client.configuration import Configuration
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.kube.listing import list_jobs
from reconstruction_operator.kube.access import ClusterAccess
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError

PATH = "/apis/reconstruction.dev/v1alpha1"


def page(*names: str, version: str = "9", namespace: str = "team", more: str = "") -> dict[str, Any]:
    items = [{"metadata": {"namespace": namespace, "name": name, "uid": f"uid-{name}"}} for name in names]
    return {"metadata": {"resourceVersion": version, "continue": more}, "items": items}


class Server:
    """Returns the page for each path and continuation, and keeps the queries."""

    def __init__(self, pages: Mapping[tuple[str, str], dict[str, Any] | int]) -> None:
        self.pages = pages
        self.asked: list[Mapping[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append({"accept": request.headers["Accept"], **request.query})
        found = self.pages[request.path.removeprefix(PATH), request.query.get("continue", "")]
        if isinstance(found, int):
            return web.json_response({"reason": "Broken", "message": "etcd is unavailable"}, status=found)
        return web.json_response(found)


@pytest.fixture
async def listed() -> AsyncIterator[Any]:
    opened: list[Any] = []

    async def listed_from(pages: Mapping[tuple[str, str], dict[str, Any] | int], *namespaces: str) -> Any:
        server = Server(pages)
        app = web.Application()
        app.router.add_get("/{path:.*}", server.answer)
        running = test_utils.TestServer(app)
        await running.start_server()
        api = Api(ClusterAccess(str(running.make_url("")).rstrip("/"), Configuration()))
        opened.extend([running, api])
        return await list_jobs(api, namespaces), server.asked

    yield listed_from
    for one in reversed(opened):
        await one.close()


async def test_pages_are_followed_to_the_last_one(listed: Any) -> None:
    found, asked = await listed(
        {
            ("/reconstructionjobs", ""): page("a", "b", more="next"),
            ("/reconstructionjobs", "next"): page("c", version="9"),
        }
    )

    assert found == frozenset(JobKey("team", name, f"uid-{name}") for name in "abc")
    assert [one.get("continue") for one in asked] == [None, "next"]
    assert all("PartialObjectMetadataList" in one["accept"] and "resourceVersion" not in one for one in asked)


async def test_the_oldest_version_of_several_namespaces_counts(listed: Any) -> None:
    found, _ = await listed(
        {
            ("/namespaces/red/reconstructionjobs", ""): page("a", version="12", namespace="red"),
            ("/namespaces/blue/reconstructionjobs", ""): page("a", version="11", namespace="blue"),
        },
        "red",
        "blue",
    )

    assert found == frozenset({JobKey("red", "a", "uid-a"), JobKey("blue", "a", "uid-a")})


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(page(), id="no job"),
        pytest.param({"metadata": {"resourceVersion": "x"}, "items": None}, id="no version and no items"),
        pytest.param({"metadata": {}, "items": [{"metadata": {"name": "a"}}, {"metadata": None}]}, id="no keys"),
    ],
)
async def test_a_response_without_jobs_lists_none(answer: dict[str, Any], listed: Any) -> None:
    found, _ = await listed({("/reconstructionjobs", ""): answer})

    assert found == frozenset()


async def test_a_page_that_fails_fails_the_list(listed: Any) -> None:
    with pytest.raises(ApiError, match="500 Broken"):
        await listed({("/reconstructionjobs", ""): page("a", more="next"), ("/reconstructionjobs", "next"): 500})
