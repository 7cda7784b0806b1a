"""Results on the jobs volume: each path is opened component by component, relative to descriptors, without following links.

Only files of the job's manifest are opened. So neither a name in a request nor a file that a model left there leads elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread
from reconstruction_operator import disk
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, SealedFile
from reconstruction_operator.jobfiles.layout import JobFolder

from reconstruction_gallery.files.opened import CHUNK_BYTES, NoResultError

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = (
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # non-blocking: a pipe would wait for its writer


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """An open file of a result on the volume."""

    descriptor: int
    sealed: SealedFile

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """See `OpenFile`."""
        return _pieces(self.descriptor, start, end)

    def close(self) -> None:
        """See `OpenFile`."""
        os.close(self.descriptor)


def manifest_of(job_id: str) -> Manifest | None:
    """Return the manifest of the job's published result; None if there is none. Raises OSError if the volume cannot be read."""
    with contextlib.suppress(NoResultError):
        folder = _output(job_id)
        try:
            return _manifest(folder, job_id)
        finally:
            os.close(folder)
    return None


def open_file(job_id: str, name: str) -> VolumeFile:
    """Return a file of the job's result by its name in the manifest, `previews/front.png`.

    Raises NoResultError if the manifest does not contain it, or if it is not a regular file of the size in the manifest.
    """
    folder = _output(job_id)
    try:
        manifest = _manifest(folder, job_id)
        sealed = next((one for one in manifest.files if one.name == name), None) if manifest else None
        if sealed is None:
            raise NoResultError(name)
        *parents, last = name.split("/")
        for parent in parents:
            folder = _replaced(folder, _entered(parent, folder))
        descriptor = _opened(last, _FILE, folder)
    finally:
        os.close(folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size != sealed.bytes:
        os.close(descriptor)
        raise NoResultError(name)
    return VolumeFile(descriptor, sealed)


async def _pieces(descriptor: int, start: int, end: int) -> AsyncGenerator[bytes, None]:
    while start < end:
        chunk = await anyio.to_thread.run_sync(os.pread, descriptor, min(CHUNK_BYTES, end - start), start)
        if not chunk:  # the file was truncated: the client sees that the length is wrong
            return
        start += len(chunk)
        yield chunk


def _output(job_id: str) -> int:
    """Return the output folder. JOBS_DIR itself may be a link, but nothing below it."""
    try:
        job = JobFolder.of(job_id)
    except ValueError as error:
        raise NoResultError(job_id) from error
    try:
        root = os.open(job.root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoResultError(job_id) from error
    try:
        folder = _entered(job.root.name, root)
    finally:
        os.close(root)
    try:
        return _entered(job.output.name, folder)
    finally:
        os.close(folder)


def _manifest(folder: int, job_id: str) -> Manifest | None:
    with contextlib.suppress(OSError):
        manifest = Manifest.parse(disk.read_regular(Path(MANIFEST), MAX_MANIFEST_BYTES, within=folder))
        if manifest is not None and manifest.job_id == job_id:
            return manifest
    return None


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new


def _entered(name: str, within: int) -> int:
    return _opened(name, _FOLDER, within)


def _opened(name: str, flags: int, within: int) -> int:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise NoResultError(name)
    try:
        return os.open(name, flags, dir_fd=within)
    except OSError as error:  # missing, a link (ELOOP), a socket (ENXIO), or not readable
        raise NoResultError(name) from error
