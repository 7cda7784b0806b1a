"""Emulators of cloud storage for as long as a `with` block. They keep everything in memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster.programs import building, npm_packages
from devcluster.servers.server import LOOPBACK, HttpServer


class Azurite(HttpServer):
    """Microsoft's emulator of Azure Blob Storage, with one account."""

    name = "azurite"
    account = "development"
    key = base64.b64encode(b"development-secret").decode()  # of a server on loopback that ends with the test

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a worker that uses it."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": self.account,
            "AZURE_STORAGE_ACCOUNT_KEY": self.key,
            "AZURE_STORAGE_ENDPOINT": f"{self.url()}/{self.account}",
        }

    def _command(self) -> Sequence[str | Path]:
        program = npm_packages.installed(self.name) / "azurite" / "dist" / "src" / "blob" / "main.js"
        where = ("--blobHost", LOOPBACK, "--blobPort", str(self.port))
        return [npm_packages.node(), program, *where, "--inMemoryPersistence", "--disableTelemetry", "--silent"]

    def _environment(self) -> Mapping[str, str]:
        return {"AZURITE_ACCOUNTS": f"{self.account}:{self.key}"}


class FakeGcs(HttpServer):
    """fake-gcs-server, an emulator of Google Cloud Storage. It accepts all credentials."""

    name = building.FAKE_GCS_SERVER.name

    def environment(self, port: int | None = None) -> dict[str, str]:
        """Return the settings of a worker that uses it; `port` is that of a proxy in front of it."""
        nothing = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        key = {"gcs_base_url": self.url(port), "disable_oauth": True} | nothing
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key)}

    def _command(self) -> Sequence[str | Path]:
        program = building.built(building.FAKE_GCS_SERVER) / self.name
        where = ("-scheme", "http", "-host", LOOPBACK, "-port", str(self.port), "-public-host", LOOPBACK)
        return [program, *where, "-backend", "memory", "-log-level", "error"]
