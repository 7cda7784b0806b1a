"""HTTP server for probes and metrics: no client can take more than a fixed number of connections, a few seconds and no
thread.

It serves a few fixed paths to GET and HEAD, one request for each connection. A connection ends after some seconds,
whether its client sends nothing, sends byte by byte, or does not read the answer. While `_CONNECTIONS` are open, a new
one replaces one of the address with the most: its oldest that has not sent its request yet. So a flood from one address
does not keep Prometheus or the kubelet out, which come from others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_log = logging.getLogger(__name__)

_CONNECTIONS: Final = 32
_BACKLOG: Final = 128  # connections that the kernel holds until they are accepted
_SECONDS: Final = 5.0  # for a whole connection
_HEAD_BYTES: Final = 8_192
_FRESH_SECONDS: Final = 1.0  # how long a text of metrics is served again
_MEASURE_SECONDS: Final = 2.0  # limit of the wait for gauges that another loop updates
_JOIN_SECONDS: Final = 5.0
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """A response."""

    body: bytes = b""
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _TEXT


Handler = Callable[[], Awaitable[Page]]
"""Makes the response to a request of its path."""


class Server:
    """Serves `pages` by path, in the event loop that calls `serve`. `seconds` limits a whole connection."""

    def __init__(self, pages: Mapping[str, Handler], *, seconds: float = _SECONDS) -> None:
        self._pages = pages
        self._seconds = seconds
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, bool] = {}  # oldest first; whether the request has arrived
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, host: str, port: int) -> int:
        """Open the port, and return it (for port 0: a free one).

        Connections wait for `serve`. Raises OSError if the port is in use.
        """
        self._listener = _listener(host, port)
        return int(self._listener.getsockname()[1])

    async def serve(self) -> None:
        """Answer connections from now on; returns at once."""
        self._server = await asyncio.start_server(
            self._connected, sock=self._listener, limit=_HEAD_BYTES, backlog=_BACKLOG
        )

    async def close(self) -> None:
        """Stop listening, and abort all connections. Idempotent."""
        if self._server is not None:
            self._server.close()
        elif self._listener is not None:
            self._listener.close()
        for writer in list(self._open):
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close_in_child(self) -> None:
        """Close the sockets in a forked process, which would otherwise hold port and connections after this one has
        ended.
        """
        if self._listener is not None:
            self._listener.close()
        for writer in list(self._open):
            with contextlib.suppress(OSError):
                os.close(writer.get_extra_info("socket").fileno())

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # it runs in one; for the type checker
        self._tasks.add(task)
        self._make_place()
        self._open[writer] = False
        try:
            async with asyncio.timeout(self._seconds):
                await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client's own doing
        except Exception:  # noqa: BLE001  # a defect of a page must not end the server
            _log.exception("A request could not be answered")
        finally:
            writer.transport.abort()  # what was written has been sent: `drain` waited for it
            self._open.pop(writer, None)
            self._tasks.discard(task)

    def _make_place(self) -> None:
        if len(self._open) >= _CONNECTIONS:
            addresses = {writer: (writer.get_extra_info("peername") or ("",))[0] for writer in self._open}
            (largest, _), *_ = Counter(addresses.values()).most_common(1)
            its = [writer for writer in self._open if addresses[writer] == largest]
            oldest = next((writer for writer in its if not self._open[writer]), its[0])
            del self._open[oldest]
            oldest.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if writer in self._open:
            self._open[writer] = True
        method, target, *_ = *head.decode("latin-1").partition("\r\n")[0].split(" "), "", ""
        page = await self._page(method, target.partition("?")[0])
        writer.transport.set_write_buffer_limits(high=0)  # `drain` then waits until everything is sent
        writer.write(_response(page, has_body=method != "HEAD"))
        await writer.drain()
        writer.write_eof()

    async def _page(self, method: str, path: str) -> Page:
        if method not in ("GET", "HEAD"):
            return Page(status=HTTPStatus.METHOD_NOT_ALLOWED)
        handler = self._pages.get(path)
        return Page(status=HTTPStatus.NOT_FOUND) if handler is None else await handler()


class ServingThread:
    """Serves servers that listen already in one thread, with an event loop of its own."""

    def __init__(self, *servers: Server) -> None:
        self._servers = servers
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="serving", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Close the servers; wait for the thread for a few seconds at most. Idempotent."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def close_in_child(self) -> None:
        """Close the sockets in a forked process."""
        for server in self._servers:
            server.close_in_child()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        for server in self._servers:
            await server.serve()
        await self._stopping.wait()
        for server in self._servers:
            await server.close()


class MetricsPage:
    """The text of a registry, made at most once in `_FRESH_SECONDS` for all clients.

    `measure` updates gauges before.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        measure: Callable[[], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._measure = measure
        self._monotonic = monotonic
        self._text = b""
        self._made_at: float | None = None
        self._making = asyncio.Lock()

    async def __call__(self) -> Page:
        """Return the page."""
        async with self._making:
            if self._made_at is None or self._monotonic() - self._made_at >= _FRESH_SECONDS:
                if self._measure is not None:
                    await self._measure()
                self._text = generate_latest(self._registry)
                self._made_at = self._monotonic()
        return Page(self._text, content_type=CONTENT_TYPE_LATEST)


def measured_in(
    loop: asyncio.AbstractEventLoop, measure: Callable[[], None], *, seconds: float = _MEASURE_SECONDS
) -> Callable[[], Awaitable[None]]:
    """Return a function for `MetricsPage` that calls `measure` in another thread's loop.

    If that hangs for `seconds`, the gauges stay old.
    """

    async def measured() -> None:
        here = asyncio.get_running_loop()
        done = asyncio.Event()

        def update() -> None:
            try:
                measure()
            finally:
                with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                    here.call_soon_threadsafe(done.set)

        loop.call_soon_threadsafe(update)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), seconds)

    return measured


def _listener(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    is_any = family == socket.AF_INET6 and host in ("", "::")
    listener = socket.create_server(
        address[:2], family=family, backlog=_BACKLOG, dualstack_ipv6=is_any and socket.has_dualstack_ipv6()
    )
    listener.setblocking(False)
    return listener


def _response(page: Page, *, has_body: bool) -> bytes:
    status = page.status
    body = page.body or f"{status.phrase}\n".encode()
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    head = "\r\n".join((*lines, "", "")).encode("latin-1")
    return head + body if has_body else head
