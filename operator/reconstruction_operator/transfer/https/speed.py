"""Minimum speed: a download from a server that sends too slowly fails (slow loris)."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Final

from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.units import megabytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SPAN_SECONDS: Final = 120.0  # for the response, including redirections; and then for each _SPAN_BYTES of content
_SPAN_BYTES: Final = 1 << 20


class SpeedLimit:
    """Minimum speed of a server. With a timeout for each read alone, a server could send single bytes for days."""

    def __init__(self, uri: str) -> None:
        self._shown = uris.redacted(uri)
        self._since = time.monotonic()
        self._bytes = 0
        self._has_answered = False

    def answered(self) -> None:
        """Start timing the content: the response has begun."""
        self._has_answered, self._since = True, time.monotonic()

    def received(self, count: int) -> None:
        """Add `count` bytes to the received content."""
        self._bytes += count

    def check(self) -> None:
        """Raise StorageError (INPUT_UNREACHABLE) if the server is too slow."""
        if time.monotonic() - self._since < _SPAN_SECONDS:
            return
        if not self._has_answered:
            raise StorageError("INPUT_UNREACHABLE", f"{self._shown} did not respond within {_SPAN_SECONDS:.0f} s")
        if self._bytes < _SPAN_BYTES:
            text = f"{self._shown} sent only {megabytes(self._bytes, 1)} within {_SPAN_SECONDS:.0f} s"
            raise StorageError("INPUT_UNREACHABLE", text)
        self._since, self._bytes = time.monotonic(), 0


def checking_sockets(limit: SpeedLimit) -> type[ssl.SSLSocket]:
    """Return a socket class that checks the limit before each read: even a header line can arrive byte by byte."""

    class Socket(ssl.SSLSocket):
        def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
            limit.check()
            return super().recv_into(buffer, nbytes, flags)

    return Socket
