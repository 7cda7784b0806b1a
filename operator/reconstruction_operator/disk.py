"""File system: deletion and renames that tolerate concurrent changes, bounded reads, free space."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

_DELETE_SECONDS = 10.0  # a process that still writes into the folder can spoil many tries


def set_aside(path: Path, prefix: str) -> Path | None:
    """Renames `path` to a new unique name beside it that starts with `prefix`; returns it, or None if nothing was there."""
    target = path.with_name(prefix + uuid.uuid4().hex)
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    return target


def delete_tree(path: Path, *, within: int | None = None) -> None:
    """Deletes a folder, file or link, even while other processes delete or add entries there. Links are never followed.

    `within` is the descriptor of the directory that `path` is relative to. Raises OSError if something could not be deleted.
    """
    with contextlib.suppress(OSError):
        shutil.rmtree(path, dir_fd=within)
        return
    deadline = time.monotonic() + _DELETE_SECONDS
    while _is_folder(path, within):
        shutil.rmtree(path, ignore_errors=True, dir_fd=within)  # deletes as much as it can
        try:
            shutil.rmtree(path, dir_fd=within)  # raises what is in the way
        except FileNotFoundError:  # another process deletes it too
            if time.monotonic() > deadline:  # or the folder lists an entry that does not exist
                raise
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path, dir_fd=within)


def _is_folder(path: Path, within: int | None) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path, dir_fd=within, follow_symlinks=False).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def entries(folder: Path) -> list[Path]:
    """The entries of the folder; empty if it does not exist."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_regular(path: Path, max_bytes: int, *, within: int | None = None) -> bytes:
    """The first `max_bytes` of a regular file. Safe for files of unknown origin: never blocks on a pipe.

    `within` is the descriptor of the directory that `path` is relative to; a link is not followed then.

    Raises FileNotFoundError if there is neither a regular file nor a folder, OSError if it cannot be read.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK | (0 if within is None else os.O_NOFOLLOW), dir_fd=within)

    with open(path, "rb", opener=opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileNotFoundError(errno.ENOENT, "no regular file", str(path))
        return file.read(max_bytes)


def has_files(folder: Path, sizes: Iterable[tuple[str, int]]) -> bool:
    """Whether each file (its path below `folder`, and its size in bytes) exists in that size."""
    try:
        return all((folder / name).stat().st_size == size for name, size in sizes)
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return False


def sync(path: Path) -> None:
    """Flushes a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int | None:
    """Bytes left on the disk that holds `path`, or its nearest parent that exists."""
    for candidate in (path, *path.parents):
        with contextlib.suppress(OSError):
            usage = os.statvfs(candidate)
            return usage.f_bavail * usage.f_frsize
    return None
