"""A result becomes the job's: sealed by `manifest.json`, then one rename to `output`."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles.notes import MANIFEST
from reconstruction_operator.jobfiles.workspace import Workspace
from reconstruction_operator.services import file_handler
from reconstruction_operator.worker.attempt.interruption import InterruptedRunError, Interruption, Kind

_MANIFEST_VERSION = 1
_CHUNK_BYTES = 1 << 20
_MAX_MANIFEST_BYTES = 1 << 20
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}  # what rename(2) says of a target that is in the way


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One file of a result; `name` is its path below the output folder."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a result is. Unknown keys of the file are ignored."""

    job_id: str
    task_id: str
    model: str
    simulated: bool
    attempt: int | None = None
    images: int | None = None
    input_bytes: int | None = None
    quality: Mapping[str, str] = field(default_factory=dict)
    uri: str = ""  # where a copy was delivered; empty: nowhere
    owner: Owner | None = None  # the operator's job; None: a bare task's
    files: tuple[SealedFile, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The content of `manifest.json`."""
        return {
            "version": _MANIFEST_VERSION,
            "jobId": self.job_id,
            "taskId": self.task_id,
            "attempt": self.attempt,
            "model": self.model,
            "simulated": self.simulated,
            "inputs": {"images": self.images, "bytes": self.input_bytes},
            "quality": dict(self.quality),
            "uri": self.uri,
            "owner": None if self.owner is None else self.owner.to_json(),
            "files": [{"name": one.name, "bytes": one.bytes, "sha256": one.sha256} for one in self.files],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """The manifest of that content.

        Raises:
            KeyError, TypeError, ValueError: it is none.

        """
        return cls(
            job_id=str(data["jobId"]),
            task_id=str(data["taskId"]),
            model=str(data["model"]),
            simulated=data["simulated"] is True,
            attempt=data["attempt"],
            images=data["inputs"]["images"],
            input_bytes=data["inputs"]["bytes"],
            quality={str(name): str(value) for name, value in data["quality"].items()},
            uri=str(data["uri"]),
            files=tuple(SealedFile(str(one["name"]), int(one["bytes"]), str(one["sha256"])) for one in data["files"]),
        )


def describe_files(folder: Path, check: Callable[[], None]) -> tuple[SealedFile, ...]:
    """Every regular file below `folder`, meshes first, then previews. Links and devices are removed from it."""
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
    """Writes the manifest, and makes sure that everything is on the disk before the rename that publishes it."""
    for one in manifest.files:
        _sync(folder / one.name)
    path = folder / MANIFEST
    path.write_text(json.dumps(manifest.to_json(), indent=2) + "\n")
    _sync(path)
    _sync(folder)


def publish(workspace: Workspace, job_id: str, *, replace: bool) -> Manifest | None:
    """Renames the attempt's output to the job's; None if it did.

    With `replace` an earlier result makes way. Without, a sealed one stands, and is given back: another attempt of this
    job was faster. At no moment is it out of its place, unless what lay there was none: whoever was overtaken may stand
    still anywhere in here, and go on when its successor's result has been reported.

    Raises:
        InterruptedRunError: a later attempt has taken over, or the job's files were deleted.

    """
    target = file_handler.output_dir(job_id)
    while not _take_place(workspace.output, target):
        standing = None if replace else read_sealed(job_id)
        if standing is not None:
            return standing
        _clear(target, job_id, replace=replace)
    _sync(target.parent)
    return None


def _take_place(output: Path, target: Path) -> bool:
    """Renames it there unless something is there; says whether it did."""
    try:
        output.rename(target)
    except FileNotFoundError:
        raise InterruptedRunError(Interruption(Kind.OVERTAKEN)) from None
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        return False
    return True


def _clear(target: Path, job_id: str, *, replace: bool) -> None:
    """Moves away what lies there, and deletes it; a result that somebody has just put there goes back to its place."""
    previous = file_handler.set_aside(target, ".replaced-")
    if previous is None:
        return
    with contextlib.suppress(OSError):  # it is out of the way, and goes with the job's folder
        if not replace and _sealed(previous, job_id) is not None:
            previous.rename(target)
        file_handler.delete_tree(previous)


def read_sealed(job_id: str) -> Manifest | None:
    """The manifest of the job's output, if all its files are there in full size; else None."""
    return _sealed(file_handler.output_dir(job_id), job_id)


def _sealed(folder: Path, job_id: str) -> Manifest | None:
    try:
        with (folder / MANIFEST).open("rb") as file:
            manifest = Manifest.from_json(json.loads(file.read(_MAX_MANIFEST_BYTES)))
        complete = all((folder / one.name).stat().st_size == one.bytes for one in manifest.files)
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return None
    return manifest if complete and manifest.job_id == job_id else None


def _digest(path: Path, check: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            check()
            digest.update(chunk)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
