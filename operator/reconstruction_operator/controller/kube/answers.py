"""Answers: responses of the API server, bounded in size, and parsed even if an object is hostile.

A tenant may store an object of 1.5 MB, or nest its free-form fields thousands of levels deep. Pages of a list are bounded
in bytes, and JSON is cut off below a depth that no valid object reaches, so that one object never stops the operator.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from reconstruction_operator.controller.kube import objects
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

PAGE: Final = 500  # maximum objects
_FIRST_PAGE: Final = 50
_SMALLEST_PAGE: Final = 5
_PAGE_BYTES: Final = 8 << 20  # a larger page is requested again with fewer objects; one object has at most 1.5 MiB
_AIMED_BYTES: Final = _PAGE_BYTES // 4
MAX_DEPTH: Final = 32  # a valid job has 8 levels
_ITEM_DEPTH: Final = 3  # depth of an object in a list
_RENEWALS: Final = 3  # consecutive renewals of an expired page token
_CHUNK_BYTES: Final = 1 << 20
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def parse(text: bytes) -> Any:
    """Parse JSON. Values nested deeper than `MAX_DEPTH` become null if the parser cannot handle them.

    Raises ValueError if `text` is not JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass  # msgspec is stricter than the API server about text and depth
    try:
        return json.loads(text)
    except RecursionError:
        cut, places = _cut(text)
        parsed = json.loads(cut)
        _report(parsed, places)
        return parsed


def _cut(text: bytes) -> tuple[bytes, set[int]]:
    """Cut values nested too deep; return the text, and the places in the list of the objects that were cut."""
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
    """Log and count the objects that were cut, in a list, a watch event or a response with one object."""
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
    """A response whose JSON is parsed by `parse`."""

    async def json(self, **_: Any) -> Any:
        """Parse the whole body."""
        return parse(await self.read())

    def replace(self, body: bytes) -> None:
        """Replace the body, which was read or is not needed."""
        self._body = body

    async def read_up_to(self, most: int) -> bool:
        """Read the whole body for `read` and `json`. Return False if it has more than `most` bytes."""
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


class BoundedPages:
    """Middleware of a session: chooses the `limit` of each list request so that pages stay small.

    If the token of a list's next page has expired (410 Gone: etcd has compacted its version), the list continues with the token
    in that response. Its later pages are of a newer version, but every object that exists the whole time is in the list.
    """

    def __init__(self) -> None:
        self._limit = _FIRST_PAGE

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send the request. If the page is too large, request it again with a smaller limit.

        After a request that timed out, the next one has a smaller limit.
        """
        if int(request.url.query.get("limit", 0)) <= _SMALLEST_PAGE:
            return await handler(request)
        try:
            return await self._page(request, handler)
        except (TimeoutError, asyncio.CancelledError):  # CancelledError: by a timeout of the caller
            self._shrink()  # for the caller's next try: a busy API server may never complete so large a page
            raise

    def _shrink(self) -> None:
        self._limit = max(self._limit // 4, _SMALLEST_PAGE)

    async def _page(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        renewals = 0
        while True:
            limit = self._limit
            request.url = request.url.update_query(limit=str(limit))
            response = await handler(request)
            if not isinstance(response, Answer):
                raise TypeError("the session's response_class must be Answer")
            if response.status == HTTPStatus.GONE and renewals < _RENEWALS:
                token = _next_token(await response.read())
                if token:
                    _log.info("A list outlasted its version in the API server, and continues with a newer one")
                    request.url = request.url.update_query({"continue": token})
                    renewals += 1
                    continue
            if response.status >= HTTPStatus.BAD_REQUEST:
                return response
            if limit == _SMALLEST_PAGE:
                await response.read()
            elif not await response.read_up_to(_PAGE_BYTES):
                response.close()
                self._shrink()
                continue
            size = len(await response.read())
            self._limit = max(min(limit * _AIMED_BYTES // max(size, 1), 2 * limit, PAGE), _SMALLEST_PAGE)
            return response


def _next_token(refusal: bytes) -> str:
    try:
        parsed = parse(refusal)
    except ValueError:
        return ""
    metadata = parsed.get("metadata") if isinstance(parsed, dict) else None
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    return token if isinstance(token, str) else ""
