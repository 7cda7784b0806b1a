"""Fault-injecting proxies on loopback: one kind for TCP (Redis), one for the Kubernetes API.

All run on one event loop in a thread. Their methods are thread-safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web

_CHUNK_BYTES = 65_536
_START_SECONDS = 30.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length", "te", "trailer"}

T = TypeVar("T")
P = TypeVar("P", "TcpProxy", "ApiProxy")


class Network:
    """The event loop and thread of all proxies, as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._proxies: list[TcpProxy | ApiProxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies:
            self._call(proxy.close())
        self._call(_finish_the_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_START_SECONDS)
        self._loop.close()

    def tcp(self, port: int) -> TcpProxy:
        """Open a proxy to that port on loopback."""
        return self._opened(TcpProxy(self._loop, port))

    def api(self, url: str, ca: Path, chance: random.Random) -> ApiProxy:
        """Open a proxy to that API server."""
        return self._opened(ApiProxy(self._loop, url, ca, chance))

    def _opened(self, proxy: P) -> P:
        self._call(proxy.open())
        self._proxies.append(proxy)
        return proxy

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_SECONDS)


class _Proxy:
    """What both kinds have in common."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    def silence(self) -> None:
        """Keep connections open, accept new ones, and pass nothing: like a pulled cable."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def heal(self) -> None:
        """Pass everything again, held data first."""
        self._loop.call_soon_threadsafe(self._heal)

    def _heal(self) -> None:
        self._flows.set()


class TcpProxy(_Proxy):
    """A TCP proxy that can delay, silence and refuse connections."""

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
        """Reset all connections, and every new one."""
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
        finally:
            self._open -= {writer, back}
            for one in (writer, back):
                one.close()

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response in the API server's name, and the share of requests that get it."""

    status: int
    reason: str
    share: float = 1.0
    retry_after_seconds: int = 0
    writes_only: bool = False


class ApiProxy(_Proxy):
    """An HTTP proxy for the operators that uses TLS to the API server, and can refuse, silence and expire watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop, url: str, ca: Path, chance: random.Random) -> None:
        super().__init__(loop)
        self._url = url
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._chance = chance
        self._refusal: Refusal | None = None
        self._watches_expire = False
        self._watches: set[asyncio.Event] = set()
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The proxy's URL."""
        return f"http://127.0.0.1:{self.port}"

    # -- faults

    def refuse(self, refusal: Refusal) -> None:
        """Give that response to a random share of all requests."""
        self._loop.call_soon_threadsafe(setattr, self, "_refusal", refusal)

    def expire_watches(self) -> None:
        """End every watch, and every new one until `heal`, with 410 Expired."""
        self._loop.call_soon_threadsafe(self._expire)

    # -- lifecycle, on the event loop

    async def open(self) -> None:
        """Listen on a free port."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """End all watches and stop serving."""
        self._expire()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def _expire(self) -> None:
        self._watches_expire = True
        for watch in self._watches:
            watch.set()

    def _heal(self) -> None:
        self._refusal = None
        self._watches_expire = False
        super()._heal()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        await self._flows.wait()
        watches = request.query.get("watch") in {"1", "true"}
        refusal = self._refusal
        if refusal is not None and not watches and self._hits(refusal, request.method):
            headers = {"Retry-After": str(refusal.retry_after_seconds)} if refusal.retry_after_seconds else {}
            return web.json_response(_status(refusal.status, refusal.reason), status=refusal.status, headers=headers)
        try:
            return await self._pass(request, watches=watches)
        except (aiohttp.ClientError, OSError):
            # The API server is down: close the connection without an answer.
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=502)

    def _hits(self, refusal: Refusal, method: str) -> bool:
        if refusal.writes_only and method == "GET":
            return False
        return self._chance.random() < refusal.share

    async def _pass(self, request: web.Request, *, watches: bool) -> web.StreamResponse:
        assert self._session is not None  # noqa: S101 -- for the type checker: it is open
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["Accept-Encoding"] = "identity"
        body = await request.read()
        url = self._url + str(request.rel_url)
        async with self._session.request(request.method, url, headers=headers, data=body or None) as answer:
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    response.headers[name] = value
            await response.prepare(request)
            expired = asyncio.Event()
            if watches:
                self._watches.add(expired)
                if self._watches_expire:
                    expired.set()
            try:
                await self._stream(answer, response, expired)
                if expired.is_set():
                    event = {"type": "ERROR", "object": _status(410, "Expired")}
                    await response.write(json.dumps(event).encode() + b"\n")
            finally:
                self._watches.discard(expired)
            await response.write_eof()
            return response

    async def _stream(
        self, answer: aiohttp.ClientResponse, response: web.StreamResponse, expired: asyncio.Event
    ) -> None:
        """Pass the answer until its end or until `expired` is set; never half an event of a watch."""
        stop = asyncio.ensure_future(expired.wait())
        rest = b""
        try:
            while True:
                chunk = asyncio.ensure_future(answer.content.readany())
                await asyncio.wait({chunk, stop}, return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    chunk.cancel()
                    return
                data = chunk.result()
                await self._flows.wait()
                if not data:
                    await response.write(rest)
                    return
                whole, newline, rest = (rest + data).rpartition(b"\n")
                if newline:
                    await response.write(whole + newline)
        finally:
            stop.cancel()


def _status(code: int, reason: str) -> dict[str, Any]:
    """The Status object that the API server sends for an error."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": f"injected by a fault run: {reason}",
    }


async def _finish_the_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
