"""Response that holds a resource while it is sent, such as an open file or a slot of a request limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

_TAKEN_SECONDS: Final = 120.0  # a client that reads nothing for so long is disconnected


class HoldingResponse(StreamingResponse):
    """Streamed content. `close` frees its resource however the response ends, even if the client disconnects."""

    def __init__(
        self, content: AsyncGenerator[bytes, None], close: Callable[[], None], status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(content, status, headers)
        self._content = content
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response (ASGI)."""

        async def send_soon(message: Message) -> None:
            async with asyncio.timeout(_TAKEN_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, send_soon)
        finally:
            try:
                await self._content.aclose()
            finally:
                self._close()
