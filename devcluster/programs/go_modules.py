"""Go modules for the sake of files in them: downloaded by Go into its own cache, each release pinned by its hash."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import BuildError
from devcluster.programs import toolchain
from devcluster.programs.building import ENVIRONMENT
from devcluster.programs.progress import Progress

_SECONDS = 600.0  # seconds; a slow line needs many times that


@dataclass(frozen=True)
class GoModule:
    """One release of a module."""

    path: str
    version: str
    checksum: str  # as go.sum has it, "h1:…"

    def folder(self) -> Path:
        """Where it was unpacked.

        Raises:
            BuildError: it could not be had, or is not the one that was pinned.

        """
        name = f"{self.path}@{self.version}"
        # In an empty folder: in one with a go.mod, Go would look there for what that asks for.
        with Progress(f"Looking for the Go module {name}"), tempfile.TemporaryDirectory() as empty:
            done = subprocess.run(
                [toolchain.go(), "mod", "download", "-json", name],
                cwd=empty,
                env=os.environ | ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
        said = json.loads(done.stdout or "{}")
        if "Dir" not in said:
            raise BuildError(f"{name} could not be downloaded: {said.get('Error', done.stderr.strip())}")
        if said["Sum"] != self.checksum:
            raise BuildError(f"{name} is not the one that was pinned: {said['Sum']}, not {self.checksum}")
        return Path(said["Dir"])
