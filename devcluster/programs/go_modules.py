"""Go modules as sources of files: Go downloads them into its own cache, and a hash pins each release."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.programs import toolchain
from devcluster.programs.building import ENVIRONMENT
from devcluster.programs.cache import Spinner

_SECONDS = 600.0  # seconds; a slow line needs many times that


@dataclass(frozen=True)
class GoModule:
    """One release of a module, and the names of the files that are used."""

    path: str
    version: str
    checksum: str  # as go.sum has it, "h1:…"
    names: tuple[str, ...] = ()

    def folder(self) -> Path:
        """Return the folder of the unpacked module, which Go downloads if its cache does not have it."""
        name = f"{self.path}@{self.version}"
        # In an empty folder: Go would read a go.mod.
        with Spinner(f"Looking for the Go module {name}"), tempfile.TemporaryDirectory() as empty:
            done = commands.run(
                [toolchain.go(), "mod", "download", "-json", name],
                check=False,
                environment=ENVIRONMENT,
                folder=Path(empty),
                timeout_seconds=_SECONDS,
            )
        module = json.loads(done.stdout or "{}")
        if "Dir" not in module:
            raise DevclusterError(f"{name} could not be downloaded: {module.get('Error', done.stderr.strip())}")
        if module["Sum"] != self.checksum:
            raise DevclusterError(f"{name} is not the pinned release: {module['Sum']}, not {self.checksum}")
        return Path(module["Dir"])

    def files(self) -> list[Path]:
        """Return the paths of the named files."""
        folder = self.folder()
        return [folder / name for name in self.names]
