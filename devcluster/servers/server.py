"""Server: one program that listens on a port of its own, for as long as a `with` block."""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running
from devcluster.waiting import wait_until

LOOPBACK = "127.0.0.1"
_READY_SECONDS = 180.0  # most are ready within a second; Azurite needs seconds of CPU
_HEALTH_SECONDS = 5.0
_ANSWER_SECONDS = 60.0


class Server(Running):
    """A server with one process and one port. A subclass defines its command, and how to find out that it answers."""

    port: int
    ca: Path
    """The certificate of the authority that signed the server's own, if it has TLS."""

    @property
    def process(self) -> Process:
        """The server's process."""
        return self.processes[self.name]

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Write the files that the server needs to `folder`, and return the program with its arguments."""

    def _environment(self) -> Mapping[str, str]:
        """Return variables for the server's process, beside those of this process."""
        return {}

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it answers a request."""

    def _start(self) -> None:
        (self.port,) = free_ports(1)
        self._serve()

    def revive(self) -> list[str]:
        """Start the process again if it has ended by itself, and wait until it answers. Return its name."""
        ended = super().revive()
        if ended:
            self._await_answer()
        return ended

    def _serve(self) -> None:
        self._launch(self.name, self._command(), os.environ | self._environment())
        self._await_answer()

    def _await_answer(self) -> None:
        wait_until(
            self._is_ready,
            f"{self.name} on port {self.port} to answer",
            timeout_seconds=_READY_SECONDS,
            seen=self.log_ends,
        )

    def _is_ready(self) -> bool:
        self.check()
        return self._answers()


def read(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    """Return the status and the body of an answer, and close the connection."""
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")


class HttpServer(Server):
    """An HTTP server. It is ready when the path `health` answers, even with a 4xx status."""

    host = LOOPBACK
    health = "/"
    tls = False

    def url(self, port: int | None = None) -> str:
        """Return its address, or that of a proxy in front of it."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{port or self.port}"

    def read(self, path: str, *, timeout_seconds: float = _ANSWER_SECONDS) -> tuple[int, str]:
        """Return the status and the body of an answer. Raise an OSError or HTTPException without one."""
        return read(self._connection(timeout_seconds), path)

    def _answers(self) -> bool:
        try:
            return self.read(self.health, timeout_seconds=_HEALTH_SECONDS)[0] < HTTPStatus.INTERNAL_SERVER_ERROR
        except (OSError, http.client.HTTPException):
            return False

    def _connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout_seconds)
        context = ssl.create_default_context(cafile=str(self.ca))
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout_seconds, context=context)
