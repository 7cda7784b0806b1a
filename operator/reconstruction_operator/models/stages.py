"""Stages: intermediate results that a model has finished, from which the next attempt of the same job continues.

    <folder>/<stage>/            a sealed stage: its files, and `seal.json` with their digests
    <folder>/.<stage>-<random>/  a stage that is being written, or was too large to be kept

One rename seals a stage, after all its files are on the disk. So a killed process never leaves a sealed stage with incomplete files. The
files of a sealed stage never change: a model that writes to one works on a copy. A stage is used only for the key that it was made with,
and only if its files have the digests of the seal.

Before the run, the worker moves sealed stages of earlier attempts into the folder. No other process writes there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction_operator.models.interface import StageFolder, Work

SEAL = "seal.json"

_VERSION = 1
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_MAX_SEAL_BYTES = 1 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SealedStage:
    """A sealed stage; its files must not be changed."""

    name: str
    path: Path
    attempt: int  # that made the stage; 0: a bare task

    def __str__(self) -> str:
        """Return the text for the status: "matches of attempt 1"."""
        return f"{self.name} of attempt {self.attempt}" if self.attempt else self.name


class Stages:
    """The stages of one run."""

    def __init__(self, folder: StageFolder) -> None:
        self._folder = folder
        self._stages: dict[str, SealedStage] = {}  # a cache, since checking a stage reads all its files

    @classmethod
    def of(cls, work: Work) -> Stages:
        """Return the stages of that work. Without a stage folder, they are in the scratch folder, for this run alone."""
        return cls(work.stages or StageFolder(work.scratch_dir / "stages", ""))

    def find(self, name: str) -> SealedStage | None:
        """Return the sealed stage of that name; None if there is none. A stage of another key, or an incomplete one, is deleted."""
        path = self._folder.path / _checked(name)
        if name in self._stages:
            return self._stages[name]
        if not os.path.lexists(path):
            return None
        attempt = self._maker(path)
        if attempt is None:
            logger.warning("stage %s is not used: it has another key, or is incomplete", name)
            _delete(path)
            return None
        self._stages[name] = SealedStage(name, path, attempt)
        return self._stages[name]

    def begin(self, name: str) -> Path:
        """Make an empty folder for that stage.

        Raises OSError, also FileNotFoundError if another attempt has taken over.
        """
        # Without `parents`: if a parent folder is missing, another run has moved it away.
        self._folder.path.mkdir(exist_ok=True)
        path = self._folder.path / f".{_checked(name)}-{uuid.uuid4().hex[:8]}"
        path.mkdir()
        return path

    def seal(self, name: str, written: Path) -> Path:
        """Seal the folder that `begin` has made; return the new path of the folder. Waits for the disk.

        A stage that would exceed the size limit of all stages is not moved, and no later attempt finds it.

        Raises OSError, also FileNotFoundError if another attempt has taken over.
        """
        described = list(_described(written))
        kept_bytes = sum(size for other in self._sealed() for size in _sizes(other))
        if kept_bytes + sum(size for _, size, _ in described) > self._folder.max_bytes:
            logger.warning("stage %s is not kept: the limit for all stages is %d bytes", name, self._folder.max_bytes)
            return written
        for folder in {path.parent for path, _, _ in described} | {written}:
            _flush(folder)
        content = {
            "version": _VERSION,
            "stage": name,
            "key": self._folder.key,
            "attempt": self._folder.attempt,
            "files": [
                {"name": path.relative_to(written).as_posix(), "bytes": size, "sha256": digest}
                for path, size, digest in described
            ],
        }
        (written / SEAL).write_text(json.dumps(content) + "\n")
        _flush(written / SEAL)
        _flush(written)
        target = self._folder.path / _checked(name)
        _delete(target)
        written.rename(target)
        _flush(self._folder.path)
        self._stages[name] = SealedStage(name, target, self._folder.attempt)
        return target

    def drop(self, *names: str) -> None:
        """Delete stages that a later one has made unnecessary."""
        for name in names:
            self._stages.pop(name, None)
            _delete(self._folder.path / _checked(name))

    def _sealed(self) -> Iterator[Path]:
        return (path for path in self._folder.path.iterdir() if not path.name.startswith("."))

    def _maker(self, path: Path) -> int | None:
        """Return the attempt that sealed the stage; None if the stage cannot be used."""
        with contextlib.suppress(
            OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError
        ):
            with (path / SEAL).open("rb") as file:
                seal = json.loads(file.read(_MAX_SEAL_BYTES))
            if (seal["version"], seal["stage"], seal["key"]) != (_VERSION, path.name, self._folder.key):
                return None
            if _is_whole(path, seal["files"]):
                return int(seal["attempt"])
        return None


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is not a stage name: use at most 32 lower-case letters, digits and dashes")
    return name


def _is_whole(path: Path, files: list[Mapping[str, Any]]) -> bool:
    sizes = {file: size for file, size in zip(_files(path), _sizes(path), strict=True) if file != path / SEAL}
    sealed = {path / str(entry["name"]): entry for entry in files}
    return set(sizes) == set(sealed) and all(
        sizes[file] == entry["bytes"] and _digest(file) == entry["sha256"] for file, entry in sealed.items()
    )


def _described(folder: Path) -> Iterator[tuple[Path, int, str]]:
    for path in _files(folder):
        _flush(path)
        yield path, path.stat().st_size, _digest(path)


def _files(folder: Path) -> list[Path]:
    """Return all regular files in the folder and below it. Links are not followed."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in _files(folder)]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # the worker deletes the folder anyway
        shutil.rmtree(path)
