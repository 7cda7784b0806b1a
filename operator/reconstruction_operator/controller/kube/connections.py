"""Connections to the API server: HTTP/1.1 over asyncio's streams, for single requests such as status writes.

An HTTP library spends more on such a request than all else of a status write costs the operator. Lists and the watch, whose answers
are large or endless, go over aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

_AT_ONCE: Final = 32  # requests; each has a connection
_CONNECT_SECONDS: Final = 5.0
_MOST_BYTES: Final = 64 << 20  # of an answer; an object has 1.5 MiB at most
_HEAD_BYTES: Final = 1 << 20
_END: Final = b"\r\n\r\n"
_WITHOUT_BODY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class MalformedAnswerError(OSError):
    """The other side does not speak HTTP/1.1, or its answer is cut off or far too long."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer. The names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_usable(self) -> bool:
        return not (self.reader.at_eof() or self.writer.is_closing())


class Connections:
    """Connections to one server, which stay open from one request to the next."""

    def __init__(self, server: str, ssl_context: ssl.SSLContext) -> None:
        parts = urlsplit(server)
        self._host = parts.hostname or ""
        self._ssl = ssl_context if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._ssl else 80)
        self._prefix = parts.path.rstrip("/")
        self._netloc = parts.netloc.rpartition("@")[2]
        self._idle: list[_Connection] = []
        self._closed = False
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def request(self, method: str, path: str, headers: Mapping[str, str], content: bytes | None) -> Received:
        """Send a request, and receive the whole answer. Raises OSError without an answer; it may have been carried out then."""
        head = _head(method, f"{self._prefix}{path}", {"Host": self._netloc, **headers}, content)
        async with self._room:
            connection = self._take() or await self._open()
            try:
                connection.writer.write(head + (content or b""))
                received, stays_open = await _receive(connection.reader)
            except BaseException as error:  # a cancelled request, too, leaves an answer that no other one may get
                connection.writer.transport.abort()
                if isinstance(error, EOFError | ValueError | asyncio.LimitOverrunError):
                    raise MalformedAnswerError(f"{method} {path}: {error}") from error
                raise
        if stays_open and not self._closed:
            self._idle.append(connection)
        else:
            connection.writer.close()
        return received

    async def close(self) -> None:
        """Close the connections; those in use when their answers are in."""
        self._closed = True
        while self._idle:
            writer = self._idle.pop().writer
            writer.transport.abort()  # no answer is under way, and a TLS server may take its time for a goodbye
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.writer.close()
        return None

    async def _open(self) -> _Connection:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return _Connection(
                *await asyncio.open_connection(
                    self._host,
                    self._port,
                    ssl=self._ssl,
                    server_hostname=self._host if self._ssl else None,
                    limit=_HEAD_BYTES,
                )
            )


def _head(method: str, target: str, headers: Mapping[str, str], content: bytes | None) -> bytes:
    """Raises OSError for what cannot be sent: a name of a path, or a token, with a line break would be another request."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if content is not None:
        lines.append(f"Content-Length: {len(content)}")
    text = "\r\n".join(lines)
    if " " in target or not target.isascii() or not target.isprintable() or text.count("\n") != len(lines) - 1:
        raise MalformedAnswerError(f"{method}: no valid request: {target!r:.200}")
    return text.encode("latin-1", "replace") + _END


async def _receive(reader: asyncio.StreamReader) -> tuple[Received, bool]:
    """One answer, and whether the connection can be used again. Raises EOFError, ValueError, LimitOverrunError."""
    status = 0
    while status < HTTPStatus.OK:  # 1xx: another one follows
        first, _, rest = (await reader.readuntil(_END)).decode("latin-1").partition("\r\n")
        version, code, *_ = f"{first} ".split(" ")
        status = int(code)
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise ValueError(f"an answer of {version!r:.20}")
    fields = (line.partition(":") for line in rest.split("\r\n") if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    stays_open = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if status in _WITHOUT_BODY:
        return Received(status, headers, b""), stays_open
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Received(status, headers, await _chunks(reader)), stays_open
    if "content-length" in headers:
        return Received(status, headers, await reader.readexactly(_bounded(int(headers["content-length"])))), stays_open
    content = await reader.read(_MOST_BYTES)  # until the other side closes the connection
    return Received(status, headers, content), False


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    content = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        _bounded(len(content) + size)
        content += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readuntil(b"\r\n")) != b"\r\n":
        pass  # trailers
    return bytes(content)


def _bounded(size: int) -> int:
    if not 0 <= size <= _MOST_BYTES:
        raise ValueError(f"an answer of {size} bytes")
    return size
