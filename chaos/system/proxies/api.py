"""API proxy: plain HTTP from the operators, TLS to the API server."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from chaos.system.proxies.proxy import Proxy

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length", "te", "trailer"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response in place of the API server's, and the share of requests that get it."""

    status: int
    reason: str
    share: float = 1.0
    retry_after_seconds: int = 0
    writes_only: bool = False


class ApiProxy(Proxy):
    """Passes requests to the API server, and can refuse them, be silent and expire watches."""

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
        """Return that error to a random share of all requests."""
        self._loop.call_soon_threadsafe(setattr, self, "_refusal", refusal)

    def expire_watches(self) -> None:
        """End every watch with 410 Expired, and every new one until `heal`."""
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
            # The API server is down: close the connection without a response.
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
        """Pass the response until its end or until `expired` is set; never split an event of a watch."""
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
    """Return the Status object that the API server sends for an error."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": f"injected by a fault run: {reason}",
    }
