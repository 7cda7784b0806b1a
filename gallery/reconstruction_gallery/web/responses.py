"""Responses that hold a resource while they are sent: an open file or a slot of a limit."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Final

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from reconstruction_gallery.files.opened import CHUNK_BYTES

_PAUSE: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": True}


# In ASCII: a result or a log may hold half of a surrogate pair, which UTF-8 cannot
JSON_TYPE: Final = {"Content-Type": "application/json"}


class HoldingResponse(StreamingResponse):
    """Streamed content.

    `held` is entered before the response begins, and left however it ends, even if the client disconnects.
    """

    def __init__(
        self,
        content: AsyncGenerator[bytes, None],
        held: AbstractAsyncContextManager[object],
        status: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(content, status, headers)
        self._content = content
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response (ASGI)."""
        async with self._held, aclosing(self._content):
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send the content. Nothing more is read until the client has taken what was sent."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for content in self._content:
            for start in range(0, len(content), CHUNK_BYTES):
                piece = content[start : start + CHUNK_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send(_PAUSE)  # the server waits at the beginning of a call, until its buffer has room
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def json_response(body: Any, held: AbstractAsyncContextManager[object]) -> HoldingResponse:
    """Return a long body as JSON. `held` as above: the text stays in memory until it is sent."""
    text = json.dumps(body).encode()

    async def content() -> AsyncGenerator[bytes, None]:
        yield text

    return HoldingResponse(content(), held, 200, JSON_TYPE | {"Content-Length": str(len(text))})
