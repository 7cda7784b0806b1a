"""Emulators of clouds' object storage for as long as a `with` block. They keep everything in memory."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.programs import building, npm_packages
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running, retried_on_taken_port
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_READY_SECONDS = 120.0  # Azurite needs seconds of CPU
_ANSWER_SECONDS = 5.0
_HOST = "127.0.0.1"


class _Emulator(Running):
    """A server process that is ready when it answers a request, whatever it answers."""

    name: str

    def __init__(self) -> None:
        self._run: RunFolder | None = None
        self._process: Process | None = None
        self.port = 0

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """The program with its arguments, for `port`."""

    def _environment(self) -> Mapping[str, str]:
        """Variables for its process."""
        return {}

    def start(self) -> None:
        """Start it on a free port, and wait until it answers."""
        if self._run is not None:
            raise DevclusterError(f"this {self.name} has been started already")
        self._run = retried_on_taken_port(self._launch)

    def stop(self) -> None:
        """End it; nothing to do where nothing runs."""
        run, self._run = self._run, None
        if run is not None:
            self._end(run)

    def _launch(self) -> RunFolder:
        (self.port,) = free_ports(1)
        command = self._command()
        run = RunFolder.new(self.name)
        try:
            environment = os.environ | self._environment()
            self._process = process = Process(self.name, command, run=run, environment=environment)
            wait_until(
                lambda: self._answers(process),
                f"{self.name} on port {self.port} to answer",
                timeout_seconds=_READY_SECONDS,
                seen=process.log_end,
            )
        except BaseException:  # also on an interrupt
            self._end(run)
            raise
        return run

    def _answers(self, process: Process) -> bool:
        process.check()
        with contextlib.closing(http.client.HTTPConnection(_HOST, self.port, timeout=_ANSWER_SECONDS)) as connection:
            try:
                connection.request("GET", "/")
                connection.getresponse()
            except (OSError, http.client.HTTPException):
                return False
            return True

    def _end(self, run: RunFolder) -> None:
        process, self._process = self._process, None
        try:
            if process is not None:
                process.kill()
        finally:
            run.close()


class Azurite(_Emulator):
    """Microsoft's emulator of Azure Blob Storage, with one account."""

    name = "azurite"
    account = "development"
    key = base64.b64encode(b"development-secret").decode()  # of a server on loopback that ends with the test

    @property
    def environment(self) -> dict[str, str]:
        """What a worker that uses it is given."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": self.account,
            "AZURE_STORAGE_ACCOUNT_KEY": self.key,
            "AZURE_STORAGE_ENDPOINT": f"http://{_HOST}:{self.port}/{self.account}",
        }

    def _command(self) -> Sequence[str | Path]:
        program = npm_packages.installed(self.name) / "azurite" / "dist" / "src" / "blob" / "main.js"
        where = ("--blobHost", _HOST, "--blobPort", str(self.port))
        return [npm_packages.node(), program, *where, "--inMemoryPersistence", "--disableTelemetry", "--silent"]

    def _environment(self) -> Mapping[str, str]:
        return {"AZURITE_ACCOUNTS": f"{self.account}:{self.key}"}


class FakeGcs(_Emulator):
    """fake-gcs-server, an emulator of Google Cloud Storage. It takes every credential."""

    name = building.FAKE_GCS_SERVER.name

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What a worker that uses it is given; `port` of a proxy in front of it."""
        address = f"http://{_HOST}:{port or self.port}"
        nothing = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        key = {"gcs_base_url": address, "disable_oauth": True} | nothing
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key)}

    def _command(self) -> Sequence[str | Path]:
        program = building.built(building.FAKE_GCS_SERVER) / self.name
        where = ("-scheme", "http", "-host", _HOST, "-port", str(self.port), "-public-host", _HOST)
        return [program, *where, "-backend", "memory", "-log-level", "error"]
