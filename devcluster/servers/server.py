"""Server: one program that listens on a port of its own, with a folder of its own, for as long as a `with` block."""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running, retried_on_taken_port
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

LOOPBACK = "127.0.0.1"
_READY_SECONDS = 120.0  # most are ready in a second; Azurite needs seconds of CPU
_ANSWER_SECONDS = 5.0


class Server(Running):
    """A server that has a port while it runs. A subclass knows its command, and when it answers."""

    name: str

    def __init__(self) -> None:
        self.port = 0
        self._run: RunFolder | None = None
        self._process: Process | None = None
        self._ca: Path | None = None

    @property
    def folder(self) -> Path:
        """Where its files and its log lie until it is stopped."""
        if self._run is None:
            raise DevclusterError(f"{self.name} has not been started")
        return self._run.folder

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed its own, where it has one."""
        if self._ca is None:
            raise DevclusterError(f"{self.name} has no TLS, or has not been started")
        return self._ca

    def start(self) -> None:
        """Start it on a free port, and wait until it answers."""
        if self._run is not None:
            raise DevclusterError(f"{self.name} has been started already")
        self._run = retried_on_taken_port(self._launch_on_new_port)

    def stop(self) -> None:
        """End it and remove every file; nothing to do where nothing runs."""
        run, self._run = self._run, None
        if run is not None:
            self._end(run)

    def check(self) -> None:
        """Raise where it has ended by itself."""
        self._running.check()

    def log_end(self) -> str:
        """The end of its log."""
        return self._running.log_end()

    @abstractmethod
    def _command(self, folder: Path) -> Sequence[str | Path]:
        """Write its files to `folder`, and return the program with its arguments."""

    def _environment(self) -> Mapping[str, str]:
        """Variables for its process, beside those of this one."""
        return {}

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it answers a request."""

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise DevclusterError(f"{self.name} is not running")
        return self._process

    def _launch_on_new_port(self) -> RunFolder:
        run = RunFolder.new(self.name)
        (self.port,) = free_ports(1)
        try:
            self._launch(run)
        except BaseException:  # also on an interrupt
            self._end(run)
            raise
        return run

    def _launch(self, run: RunFolder) -> None:
        command = self._command(run.folder)
        self._process = process = Process(self.name, command, run=run, environment=os.environ | self._environment())
        wait_until(
            self._is_ready,
            f"{self.name} on port {self.port} to answer",
            timeout_seconds=_READY_SECONDS,
            seen=process.log_end,
        )

    def _is_ready(self) -> bool:
        self.check()
        return self._answers()

    def _end(self, run: RunFolder) -> None:
        process, self._process = self._process, None
        try:
            if process is not None:
                process.kill()
        finally:
            run.close()


class HttpServer(Server):
    """A server of HTTP, ready when it answers at the path `health`, be it with a refusal."""

    host = LOOPBACK
    health = "/"

    def url(self, port: int | None = None) -> str:
        """Its address, or that of a proxy in front of it."""
        return f"{'http' if self._ca is None else 'https'}://{self.host}:{port or self.port}"

    def _answers(self) -> bool:
        with contextlib.closing(self._connection()) as connection:
            try:
                connection.request("GET", self.health)
                return connection.getresponse().status < HTTPStatus.INTERNAL_SERVER_ERROR
            except (OSError, http.client.HTTPException):
                return False

    def _connection(self) -> http.client.HTTPConnection:
        if self._ca is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=_ANSWER_SECONDS)
        context = ssl.create_default_context(cafile=str(self._ca))
        return http.client.HTTPSConnection(self.host, self.port, timeout=_ANSWER_SECONDS, context=context)
