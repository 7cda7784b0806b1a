"""Manifest file: written last into a result folder, and read back to see whether the result is whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, SealedFile

_CHUNK_BYTES = 1 << 20


def describe_files(folder: Path, check: Callable[[], None]) -> tuple[SealedFile, ...]:
    """Every regular file below `folder`, in the order for people (`_place`), flushed to the disk. Removes links and devices.

    `check` is called for each chunk that is read, and may raise.
    """
    root = os.fspath(folder)
    found = [_described(path, path.removeprefix(root).lstrip("/"), check) for path in _files(root)]
    return tuple(sorted(found, key=lambda one: _place(one.name)))


def seal(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest and flushes it, before the rename that publishes it. The files are flushed already."""
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
    """The manifest in the folder if it is that job's and all its files exist in full size; else None."""
    with contextlib.suppress(OSError):
        manifest = read(folder)
        if manifest is not None and manifest.job_id == job_id and disk.has_files(folder, manifest.sizes):
            return manifest
    return None


def _place(name: str) -> tuple[bool, bool, bool, str]:
    """Sort key: the textured mesh, other meshes, previews, the rest; each by name."""
    mesh = name.endswith(".glb")
    return not (mesh and "textured" in name), not mesh, not name.endswith(".png"), name


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
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            check()
            digest.update(chunk)
        os.fsync(descriptor)
        return SealedFile(name, os.fstat(descriptor).st_size, digest.hexdigest())
    finally:
        os.close(descriptor)
