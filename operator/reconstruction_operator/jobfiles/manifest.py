"""Manifest file: written last into a result folder, and read back to see whether the result is whole."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, SealedFile

_CHUNK_BYTES = 1 << 20


def describe_files(folder: Path, check: Callable[[], None]) -> tuple[SealedFile, ...]:
    """Every regular file below `folder`, meshes first, then previews. Removes links and devices.

    `check` is called for each chunk that is read, and may raise.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            path.unlink()
        elif path.is_file():
            found.append(SealedFile(path.relative_to(folder).as_posix(), path.stat().st_size, _digest(path, check)))
    return tuple(
        sorted(found, key=lambda one: (not one.name.endswith(".glb"), not one.name.endswith(".png"), one.name))
    )


def seal(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest, and flushes everything to the disk before the rename that publishes it."""
    for one in manifest.files:
        disk.sync(folder / one.name)
    path = folder / MANIFEST
    path.write_text(manifest.to_text())
    disk.sync(path)
    disk.sync(folder)


def read(folder: Path) -> Manifest | None:
    """The manifest in the folder; None if there is no valid one. Raises OSError if it cannot be read."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return Manifest.parse(disk.read_regular(folder / MANIFEST, MAX_MANIFEST_BYTES))
    return None


def read_sealed(folder: Path, job_id: str) -> Manifest | None:
    """The manifest in the folder if it is that job's and all its files are there in full size; else None."""
    with contextlib.suppress(OSError):
        manifest = read(folder)
        if manifest is not None and manifest.job_id == job_id and disk.has_files(folder, manifest.sizes):
            return manifest
    return None


def _digest(path: Path, check: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            check()
            digest.update(chunk)
    return digest.hexdigest()
