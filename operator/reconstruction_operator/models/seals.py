"""Seals: `seal.json` of a sealed stage names its files with their digests, and who made it.

A seal is written last, after all files are on the disk, and read by runs that would continue from the stage.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEAL = "seal.json"

# What reading a damaged seal may raise
DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)

_VERSION = 2
_MAX_SEAL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StageFile:
    """A file of a stage; `name` is its path below the folder."""

    name: str
    bytes: int
    sha256: str


def describe(folder: Path) -> list[StageFile]:
    """Return the files of a stage, in the order of their names. They and their folders are on the disk then."""
    paths = files(folder)
    described = []
    for path in paths:
        flush(path)
        described.append(StageFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest(path)))
    for parent in {path.parent for path in paths} | {folder}:
        flush(parent)
    return described


def content_digest(files: list[StageFile]) -> str:
    """Return the digest of what a stage contains: equal files in equal folders give an equal digest."""
    return hashlib.sha256(json.dumps([[file.name, file.sha256] for file in files]).encode()).hexdigest()


def write(folder: Path, stage: str, files: list[StageFile], maker: Mapping[str, Any]) -> None:
    """Write the seal of a stage, whose folder is to be named `stage`. Waits for the disk."""
    entries = [{"name": file.name, "bytes": file.bytes, "sha256": file.sha256} for file in files]
    content = {"version": _VERSION, "stage": stage, **maker, "files": entries}
    (folder / SEAL).write_text(json.dumps(content) + "\n")
    flush(folder / SEAL)
    flush(folder)


def read(path: Path) -> Mapping[str, Any] | None:
    """Return the seal of the stage in that folder; None if the stage is damaged."""
    with contextlib.suppress(*DAMAGED):
        with (path / SEAL).open("rb") as file:
            seal: Mapping[str, Any] = json.loads(file.read(_MAX_SEAL_BYTES))
        if (seal["version"], seal["stage"]) == (_VERSION, path.name) and _is_whole(path, files_of(seal)):
            return seal
    return None


def files_of(seal: Mapping[str, Any]) -> list[StageFile]:
    """Return the files that a seal names. Raises one of `DAMAGED`."""
    return [StageFile(str(entry["name"]), int(entry["bytes"]), str(entry["sha256"])) for entry in seal["files"]]


def earlier(seal: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of the stages that the run had made or found before this one, by name."""
    found = seal.get("earlier")
    return {str(name): str(text) for name, text in found.items()} if isinstance(found, Mapping) else {}


def files(folder: Path) -> list[Path]:
    """Return all regular files in the folder and below it. Links are not followed."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(path: Path, sealed: list[StageFile]) -> bool:
    sizes = {file: file.stat().st_size for file in files(path) if file != path / SEAL}
    return set(sizes) == {path / entry.name for entry in sealed} and all(
        sizes[path / entry.name] == entry.bytes and digest(path / entry.name) == entry.sha256 for entry in sealed
    )
