"""Resync requests: Redis or its pub/sub was unreachable, or lost data, so everything has to be compared again."""

from __future__ import annotations

import asyncio
from typing import Final

PERIOD: Final = "period"
LOST_DATA: Final = "epoch"
"""The cause of a resync after Redis lost data, which enqueues more jobs than any other."""


class ResyncRequests:
    """Requests for a resync, which the sweeper carries out.

    The newest cause counts, except that a loss of data stays the cause until a resync for it begins.
    """

    def __init__(self) -> None:
        self._cause = "start"
        self._requested = asyncio.Event()

    def request(self, cause: str) -> None:
        """Request a resync at once."""
        if self._cause != LOST_DATA:
            self._cause = cause
        self._requested.set()

    def restore(self, cause: str) -> None:
        """Restore the cause of a resync that failed, unless another was requested since."""
        if self._cause == PERIOD or cause == LOST_DATA:
            self._cause = cause

    def take(self) -> str:
        """Take the cause of the resync that begins now: the newest request, or the period."""
        cause, self._cause = self._cause, PERIOD
        return cause

    async def wait(self, timeout_seconds: float) -> None:
        """Return at the next request, or after `timeout_seconds`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._requested.wait()
        except TimeoutError:
            return
        self._requested.clear()
