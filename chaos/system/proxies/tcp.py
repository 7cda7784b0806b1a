"""TCP proxy: passes bytes, and can delay them, be silent and refuse connections."""

from __future__ import annotations

import asyncio
import contextlib

from chaos.system.proxies.proxy import Proxy

_CHUNK_BYTES = 65_536


class TcpProxy(Proxy):
    """Passes bytes to a port on loopback."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target: int) -> None:
        super().__init__(loop)
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._refuses = False
        self._delay_seconds = 0.0

    # -- faults

    def delay(self, seconds: float) -> None:
        """Delay each chunk of data, in both directions."""
        self._loop.call_soon_threadsafe(setattr, self, "_delay_seconds", seconds)

    def refuse(self) -> None:
        """Reset all open connections, and every new one until `heal`."""
        self._loop.call_soon_threadsafe(self._set_refuses, True)

    # -- lifecycle, on the event loop

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Reset all connections and stop listening."""
        if self._server is not None:
            self._server.close()
        self._flows.set()
        self._cut()

    def _set_refuses(self, refuses: bool) -> None:
        self._refuses = refuses
        self._cut()

    def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _heal(self) -> None:
        self._refuses = False
        self._delay_seconds = 0.0
        super()._heal()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # the server is down
            writer.transport.abort()
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            for stream in (writer, back):
                stream.close()
                with contextlib.suppress(OSError):
                    await stream.wait_closed()
        finally:
            self._open -= {writer, back}
            for stream in (writer, back):
                stream.transport.abort()  # a transport with unsent data stays open otherwise

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._flows.wait()
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()
