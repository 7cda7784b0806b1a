"""S3 server (versitygw) for as long as a `with` block: buckets are folders, and objects are files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from devcluster.files import write_private
from devcluster.programs import building
from devcluster.servers.certificates import Authority
from devcluster.servers.server import LOOPBACK, HttpServer


class S3(HttpServer):
    """A running S3 server. Start it by `with S3() as server:` or by `start` and `stop`.

    With `tls` it has a certificate of its own authority (`ca`). `host` is its address on this machine. The account
    `guest` may do what a bucket's policy allows.
    """

    name = "s3"
    health = "/-/health"
    access_key = "development"
    secret_key = "development-secret"  # noqa: S105 -- of a server on loopback that ends with the test
    guest_access_key = "guest"
    guest_secret_key = "guest-secret"  # noqa: S105 -- the same
    region = "eu-central-1"

    def __init__(self, *, tls: bool = False, host: str = LOOPBACK) -> None:
        self.tls = tls
        self.host = host

    @property
    def buckets(self) -> Path:
        """The folder with a folder for each bucket. Names in it that begin with a dot are not objects."""
        return self.folder / "buckets"

    def environment(self, port: int | None = None) -> dict[str, str]:
        """Return the settings of a worker that uses it; `port` is that of a proxy in front of it."""
        return {
            "AWS_ENDPOINT_URL": self.url(port),
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def _command(self) -> Sequence[str | Path]:
        folder = self.folder
        for name in ("buckets", "metadata", "accounts"):
            (folder / name).mkdir()
        guest = {"access": self.guest_access_key, "secret": self.guest_secret_key, "role": "user"}
        accounts = json.dumps({"accessAccounts": {self.guest_access_key: guest}})
        write_private(folder / "accounts" / "users.json", accounts.encode())
        certificate: tuple[str | Path, ...] = ()
        if self.tls:
            authority = Authority(folder)
            self.ca = authority.certificate
            pair = authority.issue("s3", user="s3", hosts=(self.host, "localhost"))
            certificate = ("--cert", pair.certificate, "--key", pair.key)
        return [
            building.built(building.VERSITYGW) / building.VERSITYGW.name,
            *("--port", f"{self.host}:{self.port}", "--region", self.region, "--health", self.health),
            *("--access", self.access_key, "--secret", self.secret_key),
            *("--iam-dir", folder / "accounts"),
            *("--buckets", folder / "buckets", "--metadata", folder / "metadata"),
            *certificate,
        ]
