"""S3 server (versitygw) for as long as a `with` block: buckets are folders, and objects files."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from http import HTTPStatus
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.files import write_private
from devcluster.programs import building
from devcluster.servers.certificates import Authority
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running, retried_on_taken_port
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_READY_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
_NAME = "s3"
_HEALTH = "/-/health"
_HOST = "127.0.0.1"


class S3(Running):
    """A running S3 server. Start it by `with S3() as server:` or by `start` and `stop`.

    With `tls` it has a certificate of its own authority (`ca`). `host` is its address on this machine. The account `guest` may do what a bucket's policy allows.
    """

    access_key = "development"
    secret_key = "development-secret"  # noqa: S105 -- of a server on loopback that ends with the test
    guest_access_key = "guest"
    guest_secret_key = "guest-secret"  # noqa: S105 -- the same
    region = "eu-central-1"

    def __init__(self, *, tls: bool = False, host: str = _HOST) -> None:
        self._tls = tls
        self._host = host
        self._run: RunFolder | None = None
        self._process: Process | None = None
        self._ca: Path | None = None
        self.port = 0

    def url(self, port: int | None = None) -> str:
        """Its address, or that of a proxy in front of it."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{port or self.port}"

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed its own, where it has one."""
        if self._ca is None:
            raise DevclusterError("this S3 server has no TLS, or has not been started")
        return self._ca

    @property
    def buckets(self) -> Path:
        """The folder with a folder for each bucket. A name in it that begins with a dot is no object."""
        return self._folder / "buckets"

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What a worker that uses it is given; `port` of a proxy in front of it."""
        return {
            "AWS_ENDPOINT_URL": self.url(port),
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def start(self) -> None:
        """Start it on a free port, and wait until it answers."""
        if self._run is not None:
            raise DevclusterError("this S3 server has been started already")
        self._run = retried_on_taken_port(self._launch)

    def stop(self) -> None:
        """End it and remove every file; nothing to do where nothing runs."""
        run, self._run = self._run, None
        if run is not None:
            self._end(run)

    @property
    def _folder(self) -> Path:
        if self._run is None:
            raise DevclusterError("this S3 server has not been started")
        return self._run.folder

    def _launch(self) -> RunFolder:
        program = building.built(building.VERSITYGW) / building.VERSITYGW.name
        run = RunFolder.new(_NAME)
        (self.port,) = free_ports(1)
        try:
            for name in ("buckets", "metadata", "accounts"):
                (run.folder / name).mkdir()
            guest = {"access": self.guest_access_key, "secret": self.guest_secret_key, "role": "user"}
            accounts = json.dumps({"accessAccounts": {self.guest_access_key: guest}})
            write_private(run.folder / "accounts" / "users.json", accounts.encode())
            certificate: tuple[str | Path, ...] = ()
            if self._tls:
                authority = Authority.new(run.folder)
                self._ca = authority.certificate
                pair = authority.issue("s3", user="s3", hosts=(self._host, "localhost"))
                certificate = ("--cert", pair.certificate, "--key", pair.key)
            command: list[str | Path] = [
                program,
                *("--port", f"{self._host}:{self.port}", "--region", self.region, "--health", _HEALTH, "--quiet"),
                *("--access", self.access_key, "--secret", self.secret_key),
                *("--iam-dir", run.folder / "accounts"),
                *certificate,
                *("posix", "--sidecar", run.folder / "metadata", run.folder / "buckets"),
            ]
            self._process = process = Process(_NAME, command, run=run)
            wait_until(
                lambda: self._answers(process),
                f"the S3 server on port {self.port} to answer",
                timeout_seconds=_READY_SECONDS,
                seen=process.log_end,
            )
        except BaseException:  # also on an interrupt
            self._end(run)
            raise
        return run

    def _answers(self, process: Process) -> bool:
        process.check()
        connection = (
            http.client.HTTPSConnection(
                self._host, self.port, timeout=_ANSWER_SECONDS, context=ssl.create_default_context(cafile=str(self._ca))
            )
            if self._tls
            else http.client.HTTPConnection(self._host, self.port, timeout=_ANSWER_SECONDS)
        )
        with contextlib.closing(connection):
            try:
                connection.request("GET", _HEALTH)
                return connection.getresponse().status == HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False

    def _end(self, run: RunFolder) -> None:
        process, self._process = self._process, None
        try:
            if process is not None:
                process.kill()
        finally:
            run.close()
