"""Answers: responses of the API server that are nested too deep, or too large."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import test_utils, web
from reconstruction_operator.controller.kube import answers

_OBJECT_BYTES = 1_400_000  # nearly as large as etcd stores


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return ('{"a": ' + opening * levels + closing * levels + ', "b": "[{\\"]"}').encode()


def depth(value: object) -> int:
    levels = 0
    while isinstance(value, list | dict) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
        levels += 1
    return levels


@pytest.mark.parametrize("levels", [1, 20, 900])
def test_json_within_the_limits_of_the_parser_is_parsed_unchanged(levels: int) -> None:
    assert answers.parse(nested(levels)) == json.loads(nested(levels))


@pytest.mark.parametrize("levels", [20_000, 100_000])
def test_values_nested_too_deep_become_null_and_the_rest_is_kept(levels: int) -> None:
    parsed = answers.parse(nested(levels))

    assert parsed["b"] == '[{"]'
    assert depth(parsed["a"]) == answers.MAX_DEPTH - 1


def test_deep_mappings_are_cut_like_lists() -> None:
    text = b'{"a": ' + b'{"x":' * 20_000 + b"1" + b"}" * 20_000 + b"}"
    assert depth(answers.parse(text)) == answers.MAX_DEPTH


def hostile(name: str, levels: int) -> bytes:
    deep = b"[" * levels + b"]" * levels
    return b'{"kind":"X","metadata":{"name":"%s","namespace":"team","uid":"u"},"spec":{"a":%s}}' % (name.encode(), deep)


_DEEP = 20_000
_BODIES = b",".join([hostile("first", 1), hostile("second", _DEEP), hostile("third", 1), hostile("fourth", _DEEP)])


@pytest.mark.parametrize(
    ("read", "text", "named"),
    [
        pytest.param(answers.parse, hostile("one", _DEEP), ["team/one"], id="an-object"),
        pytest.param(answers.parse, b'{"items":[%s],"metadata":{}}' % _BODIES, ["team/second", "team/fourth"], id="a-list"),
        pytest.param(answers.parse, b'{"type":"ADDED","object":%s}' % hostile("one", _DEEP), ["team/one"], id="an-event"),
        pytest.param(answers.parse, nested(_DEEP), ["an object without a name"], id="something-else"),
    ],
)  # fmt: skip
def test_the_log_names_the_objects_that_were_cut(
    read: Callable[[bytes], object], text: bytes, named: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    read(text)

    assert [one.getMessage().partition(" is nested")[0] for one in caplog.records] == named


def test_invalid_json_is_still_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        answers.parse(b"{")


@asynccontextmanager
async def serve(
    objects: int,
    object_bytes: int,
    asked: list[int],
    *inner: aiohttp.ClientMiddlewareType,
    expires_at: int = 0,
    renewed_by: str = "",
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session with a server that lists `limit` objects a page. The token `expires_at` has expired."""

    async def listing(request: web.Request) -> web.Response:
        token = request.query.get("continue", "0")
        if token == str(expires_at) != "0":
            renewed = {"metadata": {"continue": renewed_by}} if renewed_by else {}
            return web.json_response({"kind": "Status", "reason": "Expired", **renewed}, status=410)
        limit, begin = int(request.query["limit"]), int(token.removeprefix("newer-"))
        asked.append(limit)
        end = min(begin + limit, objects)
        items = [{"name": number, "text": "x" * object_bytes} for number in range(begin, end)]
        token = str(end) if end < objects else ""
        return web.json_response({"items": items, "metadata": {"continue": token}})

    application = web.Application()
    application.add_routes([web.get("/jobs", listing)])
    async with (
        test_utils.TestServer(application) as server,
        aiohttp.ClientSession(
            server.make_url("/"), response_class=answers.Answer, middlewares=[answers.BoundedPages(), *inner]
        ) as session,
    ):
        yield session


async def names(session: aiohttp.ClientSession) -> list[int]:
    found: list[int] = []
    token = ""
    while True:
        async with session.get("/jobs", params={"limit": "500", "continue": token or "0"}) as response:
            page = await response.json()
        found += [item["name"] for item in page["items"]]
        token = page["metadata"]["continue"]
        if not token:
            return found


async def test_pages_of_small_objects_grow_to_the_largest_page() -> None:
    asked: list[int] = []
    async with serve(2_000, 100, asked) as session:
        assert await names(session) == list(range(2_000))

    assert asked[:4] == [50, 100, 200, 400]
    assert max(asked) == answers.PAGE


async def test_pages_of_large_objects_are_small_and_nothing_is_lost() -> None:
    asked: list[int] = []
    async with serve(30, _OBJECT_BYTES, asked) as session:
        assert await names(session) == list(range(30))

    assert asked[0] == 50
    assert max(asked[3:]) == 5


@pytest.mark.parametrize("error", [TimeoutError, asyncio.CancelledError])
async def test_a_page_that_timed_out_is_requested_smaller_the_next_time(error: type[BaseException]) -> None:
    """An API server that is busy with large objects may never complete a page of many. A caller's timeout cancels the request."""
    asked: list[int] = []

    async def busy(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if int(request.url.query["limit"]) > 10:
            raise error
        return await handler(request)

    async with serve(30, 100, asked, busy) as session:
        for _ in range(2):
            with pytest.raises(error):
                await session.get("/jobs", params={"limit": "500"})
        async with session.get("/jobs", params={"limit": "500"}) as response:
            assert len((await response.json())["items"]) == 5

    assert asked == [5]


async def test_a_list_whose_next_page_has_expired_continues_with_a_newer_version() -> None:
    async with serve(300, 100, [], expires_at=150, renewed_by="newer-150") as session:
        assert await names(session) == list(range(300))


@pytest.mark.parametrize("renewed_by", ["", "150"], ids=["no-new-token", "expired-as-well"])
async def test_a_list_that_cannot_continue_returns_the_error(renewed_by: str) -> None:
    async with (
        serve(300, 100, [], expires_at=150, renewed_by=renewed_by) as session,
        session.get("/jobs", params={"limit": "500", "continue": "150"}) as response,
    ):
        assert response.status == 410


async def test_a_small_limit_of_the_caller_is_kept() -> None:
    asked: list[int] = []
    async with serve(300, 100, asked) as session:
        await session.get("/jobs", params={"limit": "1"})

    assert asked == [1]
