"""Answers of the API server: bounded in size, and parsed, hostile objects included.

A tenant may store an object of 1.5 MB, or nest its free-form fields thousands of levels deep. Pages of a list are bounded
in bytes, and JSON is cut off below a depth that no valid object reaches, so that one object never stops the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from reconstruction_operator.controller.kube import objects
from reconstruction_operator.planning.shards import Shard
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

PAGE: Final = 500  # objects, at most
_FIRST_PAGE: Final = 50
_SMALLEST_PAGE: Final = 5
_PAGE_BYTES: Final = 8 << 20  # a page is asked again with fewer objects beyond this; one object has 1.5 MiB at most
_AIMED_BYTES: Final = _PAGE_BYTES // 4
MAX_DEPTH: Final = 32  # a valid job has 8 levels
_ITEM_DEPTH: Final = 3  # of an object in a list
_MANY_BRACKETS: Final = 350  # below so many opening ones no parser recurses too deep; a usual job has about 150
_CHUNK_BYTES: Final = 1 << 20
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def parse(text: bytes) -> Any:
    """The JSON in `text`; values nested deeper than `MAX_DEPTH` are null if the parser cannot take them.

    Raises ValueError if `text` is no JSON.
    """
    try:
        return json.loads(text)
    except RecursionError:
        cut, places = _cut(text)
        parsed = json.loads(cut)
        _report(parsed, places)
        return parsed


def shallow(text: bytes) -> bytes:
    """The same JSON with null in the place of values nested deeper than `MAX_DEPTH`, if it may have any."""
    if text.count(b"[") + text.count(b"{") < _MANY_BRACKETS:
        return text
    cut, places = _cut(text)
    if places:
        with contextlib.suppress(ValueError):  # the connection broke within a line
            _report(json.loads(cut), places)
    return cut


def _cut(text: bytes) -> tuple[bytes, set[int]]:
    """The text without what is nested too deep, and where that was: in which of the objects at the depth of a list's items."""
    parts, depth, copied, item, places = [], 0, 0, -1, set()
    for token in _TOKEN.finditer(text):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                item += depth == _ITEM_DEPTH
                if depth == MAX_DEPTH + 1:
                    parts += [text[copied : token.start()], b"null"]
                    places.add(item)
            case b"]" | b"}":
                if depth == MAX_DEPTH + 1:
                    copied = token.end()
                depth -= 1
    return b"".join([*parts, text[copied:]]), places


def _report(parsed: Any, places: set[int]) -> None:
    """Log and count the objects of a list, a watch event or a single answer that were cut."""
    items = parsed.get("items")
    found = [parsed.get("object", parsed)]
    if isinstance(items, list):
        found = [one for place, one in enumerate(items) if place in places]
    for one in found:
        metrics.OBJECTS_CUT.inc()
        key = objects.key_of(one)
        name = f"{key.namespace}/{key.name}" if key else "an object without a name"
        _log.warning("%s is nested more than %d deep; the rest of it is ignored", name, MAX_DEPTH)


class Answer(ClientResponse):
    """An answer whose JSON is parsed by `parse`; the content of a watch consists of whole lines, each cut."""

    async def start(self, connection: Any) -> ClientResponse:
        """Begin to read."""
        await super().start(connection)
        if "watch" in self.url.query:
            self.content = _Lines(self.content)  # type: ignore[assignment]  # kopf calls `iter_chunked` alone
        return self

    async def json(self, **_: Any) -> Any:
        """The whole answer."""
        return parse(await self.read())

    async def read_up_to(self, most: int) -> bool:
        """Read the whole body for `read` and `json`; False if it has more than `most` bytes."""
        body = bytearray()
        try:
            async for chunk in self.content.iter_chunked(_CHUNK_BYTES):
                body += chunk
                if len(body) > most:
                    return False
        except BaseException:
            self.close()
            raise
        self._body = bytes(body)
        return True


class _Lines:
    """A StreamReader whose chunks are whole lines of a watch, each cut where it is nested too deep."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        rest = bytearray()
        async for chunk in self._content.iter_chunked(size):
            rest += chunk
            end = rest.rfind(b"\n") + 1
            if end:
                lines, rest = bytes(rest[:end]), rest[end:]
                yield b"".join(shallow(line) for line in lines.splitlines(keepends=True))
        if rest:
            yield shallow(bytes(rest))


class BoundedPages:
    """Middleware of a session: chooses the `limit` of each list request so that a page has few bytes.

    If the token of a list's next page has expired (410 Gone: etcd has compacted its version), the first page of a new list
    is answered. So the caller gets every object that exists at the end, some twice. kopf ends the operator at a 410.
    """

    def __init__(self) -> None:
        self._limit = _FIRST_PAGE

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send the request; a page that is too large is requested again with a smaller limit.

        After one that was not answered in time, the next request has a smaller limit.
        """
        if "limit" not in request.url.query or "watch" in request.url.query:
            return await handler(request)
        try:
            return await self._page(request, handler)
        except (TimeoutError, asyncio.CancelledError):  # CancelledError: by a timeout of the caller
            self._shrink()  # for the caller's next try: a busy API server may never answer so large a page
            raise

    def _shrink(self) -> None:
        self._limit = max(self._limit // 4, _SMALLEST_PAGE)

    async def _page(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        while True:
            limit = self._limit
            request.url = request.url.update_query(limit=str(limit))
            response = await handler(request)
            if not isinstance(response, Answer):
                raise TypeError("the session's response_class must be Answer")
            if response.status == HTTPStatus.GONE and "continue" in request.url.query:
                _log.info("A list took longer than the API server keeps its version, and begins again")
                response.close()
                request.url = request.url.without_query_params("continue")
                continue
            if limit == _SMALLEST_PAGE:
                await response.read()
            elif not await response.read_up_to(_PAGE_BYTES):
                response.close()
                self._shrink()
                continue
            size = len(await response.read())
            self._limit = max(min(limit * _AIMED_BYTES // max(size, 1), 2 * limit, PAGE), _SMALLEST_PAGE)
            return response


class OneShard:
    """Middleware of a session: asks in each list and watch for the jobs of one shard alone.

    An API server that does not know the parameter answers with all of them.
    """

    def __init__(self, shard: Shard) -> None:
        self._selector = shard.selector

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send the request."""
        if self._selector and request.url.query.keys() & {"limit", "watch"}:
            request.url = request.url.update_query(shardSelector=self._selector)
        return await handler(request)
