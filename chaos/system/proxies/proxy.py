"""Proxy: state and faults of both kinds. The public methods are thread-safe."""

from __future__ import annotations

import asyncio


class Proxy:
    """Base of both kinds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    def silence(self) -> None:
        """Keep connections open, accept new ones, and pass nothing, like a pulled cable."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def heal(self) -> None:
        """Pass everything again, held data first."""
        self._loop.call_soon_threadsafe(self._heal)

    def _heal(self) -> None:
        self._flows.set()
