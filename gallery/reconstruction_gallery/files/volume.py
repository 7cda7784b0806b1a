"""Results on the jobs volume: each path is opened component by component, relative to descriptors, without following
links.

Only files of the job's manifest are opened. So neither a name in a request nor a file that a model left there leads
elsewhere.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import anyio.to_thread
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, SealedFile
from reconstruction_operator.jobfiles.layout import EARLY_LOOK, JobFolder, Workspace
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.names import is_photo, is_video, natural
from reconstruction_operator.transfer.photos.masks import is_mask

from reconstruction_gallery.files.opened import CHUNK_BYTES, NoResultError


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """An open file of a result on the volume; the caller closes it."""

    file: BinaryIO
    sealed: SealedFile

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return the bytes from `start` to before `end`, in pieces, which end early if the file is
        truncated meanwhile.
        """
        return _pieces(self.file.fileno(), start, end)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def manifest_of(job_id: str) -> Manifest | None:
    """Return the manifest of the job's published result; None if there is none.

    Raises OSError if the volume cannot be read.
    """
    with contextlib.suppress(NoResultError), _folder(job_id, "output") as folder:
        return _manifest(folder, job_id)
    return None


def open_file(job_id: str, name: str) -> VolumeFile:
    """Return a file of the job's result by its name in the manifest, `previews/front.png`, or the early look of its
    newest run.

    Raises NoResultError if the manifest does not contain it, or if it is not a regular file of the size in the
    manifest.
    """
    if name == EARLY_LOOK:
        return _early_look(job_id)
    with _folder(job_id, "output") as folder:
        manifest = _manifest(folder, job_id)
        sealed = next((file for file in manifest.files if file.name == name), None) if manifest else None
        if sealed is None or any(part in ("", ".", "..") for part in name.split("/")):
            raise NoResultError(name)
        try:
            file = folder.open_file(PurePosixPath(name))
        except (OSError, ValueError) as error:  # missing, a link, a socket, not readable, or with a null byte
            raise NoResultError(name) from error
    if os.fstat(file.fileno()).st_size != sealed.bytes:
        file.close()
        raise NoResultError(name)
    return VolumeFile(file, sealed)


def _early_look(job_id: str) -> VolumeFile:
    with _folder(job_id, "attempts") as runs:
        try:
            newest = max((Workspace(Path(name)) for name in runs.names()), key=lambda run: run.attempt)
            file = runs.open_file(PurePosixPath(newest.early_look))
        except (OSError, ValueError) as error:  # ValueError: no run
            raise NoResultError(EARLY_LOOK) from error
    status = os.fstat(file.fileno())
    return VolumeFile(file, SealedFile(EARLY_LOOK, status.st_size, f"{status.st_mtime_ns}"))


def loaded_photos(job_id: str, *, most: int) -> list[BinaryIO]:
    """Return the first photos that a run of the job has checked, open; none if no run has any."""
    with contextlib.suppress(NoResultError), _folder(job_id, "attempts") as runs:
        for run in sorted(map(Workspace, map(Path, runs.names())), key=lambda run: run.attempt, reverse=True):
            with contextlib.suppress(OSError), runs.enter(run.root.name) as root, root.enter(run.loaded.name) as folder:
                named = sorted(filter(is_photo, folder.names()), key=natural)
                shown = [name for name in named if not is_video(name) and not is_mask(name)]
                return [folder.open_file(PurePosixPath(name)) for name in shown[:most]]
    return []


async def _pieces(descriptor: int, start: int, end: int) -> AsyncGenerator[bytes, None]:
    while start < end:
        chunk = await anyio.to_thread.run_sync(os.pread, descriptor, min(CHUNK_BYTES, end - start), start)
        if not chunk:  # the file was truncated: the client sees that the length is wrong
            return
        start += len(chunk)
        yield chunk


def _folder(job_id: str, name: str) -> Directory:
    """Return a folder of the job. JOBS_DIR itself may be a link, but nothing below it."""
    try:
        job = JobFolder.of(job_id)
        root = os.open(job.root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (ValueError, FileNotFoundError, NotADirectoryError) as error:
        raise NoResultError(job_id) from error
    try:
        with Directory(root, job.root.parent) as jobs, jobs.enter(job.root.name) as folder:
            return folder.enter(name)
    except OSError as error:
        raise NoResultError(job_id) from error


def _manifest(folder: Directory, job_id: str) -> Manifest | None:
    with contextlib.suppress(OSError):
        manifest = Manifest.parse(folder.read(MANIFEST, MAX_MANIFEST_BYTES))
        if manifest is not None and manifest.attempt.job_id == job_id:
            return manifest
    return None
