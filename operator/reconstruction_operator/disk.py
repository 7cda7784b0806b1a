"""File system: deletion and renames that tolerate concurrent changes, bounded reads, digests, free space."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

T = TypeVar("T")

_DELETE_SECONDS = 10.0  # a process that still writes into the folder can make many tries fail
_CHUNK_BYTES = 1 << 20
_SHORT_SHARE = 20  # a file system is short if less than a twentieth is left,
_SHORT_BYTES = 10 << 30  # but at most these bytes
_SHORT_INODES = 10_000  # and inodes

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a write to a full file system or beyond a quota."""
_TOO_DEEP = (errno.EMFILE, errno.ENAMETOOLONG)  # errors of a deletion that descends into very deep folders
_LEAST_BYTES = 4096  # that an entry counts, for its inode: millions of empty files fill a file system, too
_BLOCK_BYTES = 512  # of st_blocks
# Errors of a file system without hard links, or with files of another user.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


def set_aside(path: Path, prefix: str) -> Path | None:
    """Rename `path` to a unique name beside it that starts with `prefix`; return the new path, or None if `path` did
    not exist.
    """
    target = path.with_name(prefix + uuid.uuid4().hex)
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    return target


def delete_tree(path: Path, *, within: int | None = None, seconds: float = _DELETE_SECONDS) -> None:
    """Delete a folder, file or link, even while other processes delete or add entries there. Links are never followed.

    `within` is the descriptor of the directory that `path` is relative to. Raises OSError if an entry could not be
    deleted within `seconds`.
    """
    try:
        shutil.rmtree(path, dir_fd=within)
    except RecursionError:
        _flatten(path, within)
    except OSError as error:
        if error.errno in _TOO_DEEP:
            _flatten(path, within)
    else:
        return
    deadline = time.monotonic() + seconds
    while _is_folder(path, within):
        shutil.rmtree(path, ignore_errors=True, dir_fd=within)  # deletes as much as it can
        try:
            shutil.rmtree(path, dir_fd=within)  # raises the error
        except FileNotFoundError:  # another process deletes it too
            if time.monotonic() > deadline:  # the folder may list an entry that does not exist
                raise
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path, dir_fd=within)


def _flatten(path: Path, within: int | None) -> None:
    """Move every folder below `path` directly into it, so that a deletion neither recurses nor
    holds many descriptors.
    """
    top = os.open(path, _FOLDER_FLAGS, dir_fd=within)
    try:
        with os.scandir(top) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        while names:
            folder = os.open(names.pop(), _FOLDER_FLAGS, dir_fd=top)
            try:
                with os.scandir(folder) as entries:
                    below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
                for name in below:
                    names.append(uuid.uuid4().hex)
                    os.rename(name, names[-1], src_dir_fd=folder, dst_dir_fd=top)
            finally:
                os.close(folder)
    finally:
        os.close(top)


def _is_folder(path: Path, within: int | None) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path, dir_fd=within, follow_symlinks=False).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def entries(folder: Path) -> list[Path]:
    """Return the entries of the folder; an empty list if it does not exist."""
    return [folder / name for name in names(folder)]


def names(folder: Path) -> list[str]:
    """Return the names of the folder's entries, for a large folder; an empty list if it does not exist."""
    try:
        return os.listdir(folder)  # noqa: PTH208  # pathlib makes a path of each name
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_regular(path: Path, max_bytes: int, *, within: int | None = None) -> bytes:
    """Read the first `max_bytes` of a regular file. Safe for files of unknown origin: never blocks on a pipe.

    `within` is the descriptor of the directory that `path` is relative to; with it, a link is not followed.

    Raises FileNotFoundError if there is neither a regular file nor a folder, OSError if the file cannot be read.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK | (0 if within is None else os.O_NOFOLLOW), dir_fd=within)

    with open(path, "rb", opener=opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
        return file.read(max_bytes)


def has_files(folder: Path, sizes: Iterable[tuple[str, int]]) -> bool:
    """Return whether each file (its path below `folder`, and its size in bytes) exists with that size."""
    try:
        return all((folder / name).stat().st_size == size for name, size in sizes)
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return False


def link(source: Path, target: Path) -> None:
    """Make a hard link, or a copy where links are not possible. A link is not followed."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target, follow_symlinks=False)


def digest(file: BinaryIO, check: Callable[[], None]) -> str:
    """Return the SHA-256 of the file as hex. `check` is called for each chunk, and may raise."""
    sha256 = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        check()
        sha256.update(chunk)
    return sha256.hexdigest()


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Usage(NamedTuple):
    """What a folder takes on its file system, in bytes. Each entry counts as at least 4 KiB."""

    bytes: int
    freed: int  # of the files without other hard links, whose space a deletion frees


def usage(path: Path) -> Usage:
    """Return what the folder takes with all below it; nothing if it does not exist.

    Entries that vanish meanwhile are left out.

    Neither links are followed, nor folders entered that are deeper than a path may be long.
    """
    total = freed = 0
    folders = [os.fspath(path)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            total += _LEAST_BYTES
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                status = entry.stat(follow_symlinks=False)
                taken = max(_LEAST_BYTES, status.st_blocks * _BLOCK_BYTES)
                total += taken
                freed += taken if status.st_nlink == 1 else 0
    return Usage(total, freed)


def free_bytes(path: Path) -> int | None:
    """Return the bytes left on the disk of `path`, or of its nearest parent that exists."""
    usage = _nearest(path, os.statvfs)
    return None if usage is None else usage.f_bavail * usage.f_frsize


def is_short(path: Path) -> bool:
    """Return whether less than a twentieth of the file system at `path` is left, in bytes (at most 10 GiB) or inodes
    (at most 10,000).

    Raises OSError if it cannot be measured.
    """
    usage = os.statvfs(path)
    free_bytes, all_bytes = usage.f_bavail * usage.f_frsize, usage.f_blocks * usage.f_frsize
    return free_bytes < min(all_bytes // _SHORT_SHARE, _SHORT_BYTES) or lacks_inodes(usage)


def lacks_inodes(usage: os.statvfs_result) -> bool:
    """Return whether less than a twentieth of a file system's inodes is left (at most 10,000).

    Some file systems count none.
    """
    return usage.f_favail < min(usage.f_files // _SHORT_SHARE, _SHORT_INODES)


def shares_disk(path: Path, other: Path) -> bool:
    """Return whether both paths, or their nearest parents that exist, are on the same file system."""
    first = _nearest(path, os.stat)
    second = _nearest(other, os.stat)
    return first is not None and second is not None and first.st_dev == second.st_dev


def _nearest(path: Path, measure: Callable[[Path], T]) -> T | None:
    for candidate in (path, *path.parents):
        with contextlib.suppress(OSError):
            return measure(candidate)
    return None
