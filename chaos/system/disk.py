"""Disk: the file system of the job folders, which faults fill and make read-only."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devcluster import commands

_BYTES = 64 << 20

MOUNTING = ["unshare", "--mount", "--propagation", "private"]
"""Prefix of a command that gets a separate mount namespace, which ends with it."""


def can_mount() -> bool:
    """Whether this process may mount file systems in a separate mount namespace."""
    command = [*MOUNTING, sys.executable, "-S", "-c", ""]
    return shutil.which("unshare") is not None and commands.run(command, check=False).returncode == 0


@dataclass(frozen=True)
class Disk:
    """What `folder` lies on. With `own` it is a small file system of this run, and the faults are possible."""

    folder: Path
    own: bool

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount it for the `with` block, in a mount namespace of this run, which ends with the run."""
        if not self.own:
            yield
            return
        commands.run(["mount", "-t", "tmpfs", "-o", f"size={_BYTES}", "chaos-jobs", self.folder])
        try:
            yield
        finally:
            commands.run(["umount", "--lazy", self.folder], check=False)

    def fill(self) -> None:
        """Fill it to the last byte."""
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(512))

    def empty(self) -> None:
        """Delete the file that fills it."""
        if self.own:
            self._filler.unlink(missing_ok=True)

    def make_read_only(self) -> bool:
        """Remount it read-only; False while a process has a file open for writing."""
        return commands.run(["mount", "-o", "remount,ro", self.folder], check=False).returncode == 0

    def make_writable(self) -> None:
        """Remount it writable."""
        if self.own:
            commands.run(["mount", "-o", "remount,rw", self.folder])

    @property
    def _filler(self) -> Path:
        return self.folder / ".filler"
