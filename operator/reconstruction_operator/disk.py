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


def delete_tree(path: Path) -> None:
    """Deletes a folder, file or link, even while other processes delete or add entries there. Links are never followed.

    Raises OSError if something could not be deleted.
    """
    deadline = time.monotonic() + _DELETE_SECONDS
    while path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # deletes as much as it can
        try:
            shutil.rmtree(path)  # raises what is in the way
        except FileNotFoundError:  # another process deletes it too
            if time.monotonic() > deadline:  # or the folder lists an entry that does not exist
                raise
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
    path.unlink(missing_ok=True)


def entries(folder: Path) -> list[Path]:
    """What the folder holds; empty if there is no such folder."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The first `max_bytes` of a regular file. Safe for files of unknown origin: never blocks on a pipe.

    Raises FileNotFoundError if there is neither a regular file nor a folder, OSError if it cannot be read.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
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
