"""Manifest file: written last into a result folder, and read back to check whether the result is complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, MESH, Manifest, SealedFile


def describe_files(folder: Path, check: Callable[[], None]) -> tuple[SealedFile, ...]:
    """Describe every regular file below `folder`, sorted for display, and flush it to the disk.

    Remove links and devices.

    `check` is called for each chunk that is read, and may raise.
    """
    root = os.fspath(folder)
    files = [_described(path, path.removeprefix(root).lstrip("/"), check) for path in _files(root)]
    return tuple(sorted(files, key=lambda file: _rank(file.name)))


def seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and flush it, before the rename that publishes the folder.

    The other files are already flushed.
    """
    path = folder / MANIFEST
    path.write_text(manifest.to_text())
    disk.sync(path)
    disk.sync(folder)


def read(folder: Path) -> Manifest | None:
    """Return the manifest in the folder; None if there is no valid one. Raises OSError if it cannot be read."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return Manifest.parse(disk.read_regular(folder / MANIFEST, MAX_MANIFEST_BYTES))
    return None


def read_sealed(folder: Path, job_id: str) -> Manifest | None:
    """Return the manifest in the folder if it names that job and all its files exist in full size; otherwise None."""
    with contextlib.suppress(OSError):
        manifest = read(folder)
        if manifest is not None and manifest.attempt.job_id == job_id and disk.has_files(folder, manifest.sizes):
            return manifest
    return None


def _rank(name: str) -> tuple[bool, bool, bool, str]:
    """Return the sort key: the mesh to look at, other meshes, previews, other files; each by name."""
    return name != MESH, not name.endswith(".glb"), not name.endswith(".png"), name


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path
            else:
                Path(entry.path).unlink()


def _described(path: str, name: str, check: Callable[[], None]) -> SealedFile:
    with Path(path).open("rb", buffering=0) as file:
        digest = disk.digest(file, check)
        os.fsync(file.fileno())
        return SealedFile(name, os.fstat(file.fileno()).st_size, digest)
