"""Connections: those without a request and those whose client reads nothing are aborted; what clients leave unread is
bounded.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import resource
import socket
import struct
import termios
from collections import Counter
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

_CHECKS = 4  # while a connection is quiet, until it is aborted
_OLDEST: Final = 100  # connections of an address among which one without a request is sought
_KERNEL_BYTES: Final = 1 << 16  # of a connection that wait in the kernel: it would take 4 MiB
_SIZE: Final = struct.Struct("i")
_DESCRIPTORS: Final = 8192  # more than this process needs
_OTHER_DESCRIPTORS: Final = 640  # connections just accepted, of the probes and to the API server; photo checks
_OF_A_CONNECTION: Final = 2  # descriptors: its own, and a file that its client reads or writes
BACKLOG: Final = 128
"""Connections that a port accepts in one step, before any can be aborted."""


def raise_descriptors() -> int:
    """Let this process have as many open files and connections as it needs, and return how many it may have.

    Some container runtimes set a soft limit of 1,024. Beyond its limit a server accepts nobody, not even a probe.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _DESCRIPTORS:
        soft = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def most_within(descriptors: int) -> int:
    """Return how many connections a process with so many descriptors may hold, at least 1."""
    return max(1, min(Connection.most, (descriptors - _OTHER_DESCRIPTORS) // _OF_A_CONNECTION))


class Connection(H11Protocol):
    """A connection that is aborted if it has no request for some time (slow loris), if its client reads nothing, or
    when there are too many.
    """

    most: ClassVar[int] = 3000  # at a time, of one port
    quiet_seconds: ClassVar[float] = 10.0  # without a request, or without a byte that the client read of a response
    max_unread_bytes: ClassVar[int] = 32 << 20  # that wait in memory for all clients together
    _held: ClassVar[dict[str, dict[Connection, None]]] = {}  # of one port, by address, the oldest first
    _unread: ClassVar[dict[Connection, int]] = {}  # bytes when last counted, of all ports

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the class above
        """Begin to watch the connection."""
        super().connection_made(transport)
        self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _KERNEL_BYTES)
        transport.set_write_buffer_limits(high=0)  # `pause_writing` is called for whatever the kernel does not take
        self._check(None, self.loop.time())
        self._held.setdefault(self.address, {})[self] = None
        if len(self.connections) > self.most:
            superfluous = self._superfluous()
            superfluous.forget()
            superfluous.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._unread.pop(self, None)
        self.forget()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Bound what clients leave unread: abort connections of the address that leaves the most, the largest first."""
        super().pause_writing()
        self._unread[self] = self.transport.get_write_buffer_size()
        if sum(self._unread.values()) <= self.max_unread_bytes:
            return
        for other in self._unread:  # clients have read meanwhile
            self._unread[other] = other.transport.get_write_buffer_size()
        of_address: dict[str, list[Connection]] = {}
        unread = Counter[str]()
        for other, size in sorted(self._unread.items(), key=lambda entry: entry[1]):
            of_address.setdefault(other.address, []).append(other)
            unread[other.address] += size
        while unread.total() > self.max_unread_bytes:
            address = unread.most_common(1)[0][0]
            largest = of_address[address].pop()
            unread[address] -= self._unread.pop(largest)
            largest.transport.abort()

    def resume_writing(self) -> None:
        """Count the connection no longer: its client has read."""
        self._unread.pop(self, None)
        super().resume_writing()

    @property
    def address(self) -> str:
        """The client's, or the proxy's before it."""
        return self.client[0] if self.client else ""

    @property
    def serves(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete and not self.transport.is_closing()

    def forget(self) -> None:
        """Count the connection no longer among those of its address. Idempotent."""
        of_address = self._held.get(self.address, {})
        of_address.pop(self, None)
        if not of_address:
            self._held.pop(self.address, None)

    def _superfluous(self) -> Connection:
        """Return a connection of the address that has the most: one of the oldest, without a request if possible.

        In a flood this happens for each connection, so it must not look at all others.
        """
        of_address = max(self._held.values(), key=len)
        oldest = list(itertools.islice(of_address, _OLDEST))
        return next((other for other in oldest if not other.serves and other is not self), oldest[0])

    def _check(self, before: object, since: float) -> None:
        """Abort the connection if nothing has changed `since` some time: no request came, or its client has read no
        byte.
        """
        if self not in self.connections:
            return
        now = self.loop.time()
        unread = self.transport.get_write_buffer_size()
        state = self.cycle, unread + self._in_kernel() if unread else 0
        if state != before:
            since = now
        elif now - since >= self.quiet_seconds and (unread or not self.serves):
            self.transport.abort()
            return
        self.loop.call_later(self.quiet_seconds / _CHECKS, self._check, state, since)

    def _in_kernel(self) -> int:
        """Return the number of bytes that the client's system has not acknowledged (tcp(7), SIOCOUTQ)."""
        size: bytes = fcntl.ioctl(self._socket().fileno(), termios.TIOCOUTQ, bytes(_SIZE.size))
        return int(_SIZE.unpack(size)[0])

    def _socket(self) -> Any:
        return self.transport.get_extra_info("socket")


class ProbeConnection(Connection):
    """A connection to the port of the probes."""

    most: ClassVar[int] = 50
    _held: ClassVar[dict[str, dict[Connection, None]]] = {}
