"""Limits of long requests: shares by user and client, and a queue for those that wait for a place."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from reconstruction_gallery.kube.users import User

_MAX_WAITING: Final = 1000
_MOMENT_SECONDS: Final = 0.5  # between two looks at turns
_MAX_WAITING_OF_A_CLIENT: Final = 100  # a browser behind a proxy with HTTP/2 requests so many pictures at once


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A request that waits for a place."""

    user: User
    end: asyncio.Timeout
    turn: asyncio.Future[None]


class RequestLimit:
    """Maximum number of running long requests of one kind, of one user and in total.

    `wait_seconds`: how long a request waits for a place before it is refused. `turn_seconds`: how long a request may
    run while others wait.
    """

    def __init__(self, per_user: int, total: int, *, wait_seconds: float = 0.0, turn_seconds: float = math.inf) -> None:
        self._per_user = per_user
        self._total = total
        self._wait_seconds = wait_seconds
        self._turn_seconds = turn_seconds
        self._turns: dict[asyncio.Timeout, float] = {}  # ends of turns, by the loop's clock
        self._running: dict[asyncio.Timeout, User] = {}  # the oldest first
        self._waiting: list[_Waiting] = []  # likewise

    @asynccontextmanager
    async def slot(self, user: User) -> AsyncIterator[None]:
        """Count a request while the block runs.

        If all slots are taken, the oldest of the largest client ends. Raises 429.
        """
        busy = HTTPException(429, "too many of these requests are running: end one, or wait", {"Retry-After": "10"})
        end = asyncio.timeout(None)
        try:
            async with end:
                if not self._claim_slot(end, user) and not await self._wait(end, user):
                    raise busy
                yield
        except TimeoutError:
            raise busy if end.expired() else TimeoutError from None
        finally:
            self._running.pop(end, None)
            self._turns.pop(end, None)
            self._admit()

    def _claim_slot(self, end: asyncio.Timeout, user: User) -> bool:
        """Return whether the user got a slot, which another client may lose for it."""
        if sum(running.name == user.name for running in self._running.values()) >= self._per_user:
            return False
        if len(self._running) >= self._total:
            clients = Counter(running.client for running in self._running.values())
            largest, most = clients.most_common(1)[0]
            if most <= clients[user.client] + 1:
                return False
            self._end(next(end for end, running in self._running.items() if running.client == largest))
        self._running[end] = user
        self._turns[end] = asyncio.get_running_loop().time() + self._turn_seconds
        return True

    def _end(self, end: asyncio.Timeout) -> None:
        """Take the slot from a request, which is cancelled."""
        del self._running[end]
        end.reschedule(0)

    async def _wait(self, end: asyncio.Timeout, user: User) -> bool:
        """Wait for a slot. Return False if there is none in time, or if too many wait."""
        of_client = sum(waiting.user.client == user.client for waiting in self._waiting)
        if not self._wait_seconds or of_client >= _MAX_WAITING_OF_A_CLIENT or len(self._waiting) >= _MAX_WAITING:
            return False
        waiting = _Waiting(user, end, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._wait_seconds):
                while not waiting.turn.done():
                    await self._turn_of(waiting)
        except TimeoutError:
            return False
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
        return True

    async def _turn_of(self, waiting: _Waiting) -> None:
        """Wait for a moment, or until the request may run.

        If only another one keeps it out, whose turn is over, that one ends.
        """
        now, own = asyncio.get_running_loop().time(), waiting.user.name
        oldest = next(iter(self._running), None)
        mine = sum(running.name == own for running in self._running.values())
        if oldest and len(self._running) >= self._total and mine < self._per_user and self._turns[oldest] <= now:
            self._end(oldest)
            self._admit()
        with suppress(TimeoutError):
            async with asyncio.timeout(_MOMENT_SECONDS):
                await asyncio.shield(waiting.turn)

    def _admit(self) -> None:
        """Give free slots to those who wait, the oldest first."""
        for waiting in list(self._waiting):
            if len(self._running) >= self._total:
                break
            if not waiting.turn.done() and self._claim_slot(waiting.end, waiting.user):
                self._waiting.remove(waiting)
                waiting.turn.set_result(None)


@dataclass(frozen=True, slots=True)
class Downloads:
    """Limits of what is read: files of results, whole results as archives, and long JSON about jobs."""

    files: RequestLimit
    archives: RequestLimit
    texts: RequestLimit


@dataclass(slots=True)
class Limited:
    """ASGI application that counts its requests by the client's address: they need no sign-in."""

    app: ASGIApp
    limit: RequestLimit = field(default_factory=lambda: RequestLimit(32, 64, wait_seconds=10.0))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI). Raises 429."""
        async with self.limit.slot(User(address_of(scope))):
            await self.app(scope, receive, send)


def address_of(scope: Scope) -> str:
    """Return the address of the client, or of the proxy before it."""
    client = scope.get("client")
    return str(client[0]) if client else ""
