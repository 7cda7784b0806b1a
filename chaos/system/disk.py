"""Disk: the file system of the job folders, which faults fill and make read-only; and file systems in memory for it and
the servers.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devcluster import commands
from devcluster.files import runs_folder

_BYTES = 64 << 20

MOUNTING = ["unshare", "--mount", "--propagation", "private"]
"""Prefix of a command that runs in a separate mount namespace."""


def can_mount() -> bool:
    """Return whether this process may mount file systems in a separate mount namespace."""
    command = [*MOUNTING, sys.executable, "-S", "-c", ""]
    return shutil.which("unshare") is not None and commands.run(command, check=False).returncode == 0


def files_in_memory() -> contextlib.AbstractContextManager[None]:
    """Keep the servers' files in memory for the `with` block, in a mount namespace of this run.

    Even with --unsafe-no-fsync, etcd syncs its files at every snapshot and every new segment of its log, and applies
    nothing meanwhile. On a shared disk that can take half a minute, which no fault of the run excuses.
    """
    return _mounted(runs_folder(), "mode=0700")


@dataclass(frozen=True)
class Disk:
    """The file system of `folder`. With `own` it is small and belongs to this run, so the faults are possible."""

    folder: Path
    own: bool

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount it for the `with` block, if the run has its own mount namespace."""
        if not self.own:
            yield
            return
        with _mounted(self.folder, f"size={_BYTES}"):
            yield

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


@contextlib.contextmanager
def _mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system in memory on the folder for the `with` block."""
    commands.run(["mount", "-t", "tmpfs", "-o", options, "chaos", folder])
    try:
        yield
    finally:
        commands.run(["umount", "--lazy", folder], check=False)
