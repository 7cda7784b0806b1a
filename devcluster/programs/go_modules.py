"""Go modules as sources of files: downloaded by Go into its own cache, each release pinned by its hash."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster import commands
from devcluster.errors import BuildError
from devcluster.programs import toolchain
from devcluster.programs.building import ENVIRONMENT
from devcluster.programs.progress import Spinner

_SECONDS = 600.0  # seconds; a slow line needs many times that


@dataclass(frozen=True)
class GoModule:
    """One release of a module, and the files in it that are of use here."""

    path: str
    version: str
    checksum: str  # as go.sum has it, "h1:…"
    names: tuple[str, ...] = ()

    def folder(self) -> Path:
        """Return the unpacked module; downloads it where Go has not done so before.

        Raises:
            BuildError: it could not be downloaded, or is not the one that was pinned.

        """
        name = f"{self.path}@{self.version}"
        # In an empty folder: in one with a go.mod, Go would look there for what that asks for.
        with Spinner(f"Looking for the Go module {name}"), tempfile.TemporaryDirectory() as empty:
            done = commands.run(
                [toolchain.go(), "mod", "download", "-json", name],
                check=False,
                environment=ENVIRONMENT,
                folder=Path(empty),
                timeout_seconds=_SECONDS,
            )
        found = json.loads(done.stdout or "{}")
        if "Dir" not in found:
            raise BuildError(f"{name} could not be downloaded: {found.get('Error', done.stderr.strip())}")
        if found["Sum"] != self.checksum:
            raise BuildError(f"{name} is not the one that was pinned: {found['Sum']}, not {self.checksum}")
        return Path(found["Dir"])

    def files(self) -> list[Path]:
        """Return the paths of the named files."""
        folder = self.folder()
        return [folder / name for name in self.names]
