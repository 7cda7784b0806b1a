"""Limits of long requests, and responses that hold a resource while they are sent: an open file or a slot of a limit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from reconstruction_gallery.kube.users import User


class RequestLimit:
    """Maximum number of running long requests of one kind, of one user and in total."""

    def __init__(self, per_user: int, total: int) -> None:
        self._per_user = per_user
        self._total = total
        self._running: dict[asyncio.Timeout, User] = {}  # the oldest first

    @asynccontextmanager
    async def slot(self, user: User) -> AsyncIterator[None]:
        """Count a request while the block runs. If all slots are taken, the oldest of the largest client ends. Raises 429."""
        busy = HTTPException(429, "too many of these requests are running: end one, or wait", {"Retry-After": "10"})
        if sum(running.name == user.name for running in self._running.values()) >= self._per_user:
            raise busy
        if len(self._running) >= self._total:
            clients = Counter(running.client for running in self._running.values())
            largest, most = clients.most_common(1)[0]
            if most <= clients[user.client] + 1:
                raise busy
            oldest = next(end for end, running in self._running.items() if running.client == largest)
            del self._running[oldest]
            oldest.reschedule(0)
        end = asyncio.timeout(None)
        self._running[end] = user
        try:
            async with end:
                yield
        except TimeoutError:
            raise busy if end.expired() else TimeoutError from None
        finally:
            self._running.pop(end, None)


class HoldingResponse(StreamingResponse):
    """Streamed content. `held` is entered before the response begins, and left however it ends, even if the client disconnects."""

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
