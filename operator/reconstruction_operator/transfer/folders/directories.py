"""Directory descriptors: a link that a tenant creates, at any moment, never redirects a worker (TOCTOU).

A path is opened once, name by name, without following links. After that only entries of open directories are used, so a
later change of the path has no effect.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self

from reconstruction_operator import disk

_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Directory:
    """An open directory, for use in a `with` statement. `name` arguments are names of entries, without a slash."""

    fd: int
    path: Path  # the path by which it was opened, for messages

    @classmethod
    def open(cls, path: Path, *, create: bool) -> Self:
        """Open an absolute path without following links; with `create`, make its missing parts.

        Raises FileNotFoundError for a missing path, NotADirectoryError if a part of the path is a link or a file.
        """
        above = os.open("/", _WALK)
        try:
            for name in path.parts[1:]:
                below = _walk(name, above, create=create)
                os.close(above)
                above = below
            return cls(os.open(".", _OPEN, dir_fd=above), path)
        finally:
            os.close(above)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def enter(self, name: str) -> Directory:
        """Open a directory in this one. Raises FileNotFoundError, or NotADirectoryError for a link or a file."""
        return Directory(os.open(name, _OPEN, dir_fd=self.fd), self.path / name)

    def names(self) -> list[str]:
        """Return the names of the entries."""
        return os.listdir(self.fd)  # noqa: PTH208  # pathlib does not accept descriptors

    def make(self, name: str) -> None:
        """Make a directory in this one."""
        os.mkdir(name, dir_fd=self.fd)

    def rename(self, name: str, into: Directory, new_name: str) -> None:
        """Move an entry into another directory. A link is moved, not followed."""
        os.rename(name, new_name, src_dir_fd=self.fd, dst_dir_fd=into.fd)

    def remove(self, name: str) -> None:
        """Remove an empty directory.

        Afterwards nothing can be created in it or moved into it, even by a descriptor of it.
        """
        os.rmdir(name, dir_fd=self.fd)

    def delete(self, name: str) -> None:
        """Delete an entry with its contents, as `disk.delete_tree`."""
        disk.delete_tree(Path(name), within=self.fd)

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return the first `max_bytes` of a regular file, as `disk.read_regular`. Raises OSError for a link."""
        return disk.read_regular(Path(name), max_bytes, within=self.fd)

    def open_file(self, path: PurePosixPath) -> BinaryIO:
        """Open the regular file at a relative path for reading.

        Raises OSError for a link or any other kind of entry.
        """
        with contextlib.ExitStack() as stack:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe without a writer must not block
            file = os.fdopen(os.open(path.name, flags, dir_fd=self._above(path, stack).fd), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise OSError(f"{self.path / path} is not a regular file")
        return file

    def create(self, path: PurePosixPath, mode: int) -> BinaryIO:
        """Create a file at a relative path, for writing. Its folder must exist."""
        with contextlib.ExitStack() as stack:
            folder = self._above(path, stack)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.fdopen(os.open(path.name, flags, dir_fd=folder.fd), "wb")
        os.fchmod(file.fileno(), stat.S_IMODE(mode))
        return file

    def make_below(self, path: PurePosixPath) -> None:
        """Make a directory at a relative path."""
        with contextlib.ExitStack() as stack:
            self._above(path, stack).make(path.name)

    def is_empty(self, name: str) -> bool:
        """Return whether the entry is missing or an empty directory."""
        try:
            with self.enter(name) as folder:
                return not folder.names()
        except FileNotFoundError:
            return True
        except NotADirectoryError:
            return False

    def leads_to(self, name: str, other: Directory) -> bool:
        """Return whether the entry is the directory `other`."""
        try:
            return os.path.samestat(os.stat(name, dir_fd=self.fd, follow_symlinks=False), os.fstat(other.fd))
        except OSError:
            return False

    def has_files(self, sizes: Iterable[tuple[str, int]]) -> bool:
        """Return whether each file (relative path and size in bytes) exists with that size."""
        try:
            return all(self._size(PurePosixPath(name)) == size for name, size in sizes)
        except (OSError, ValueError):  # ValueError: a name contains a null byte
            return False

    def _size(self, path: PurePosixPath) -> int:
        with contextlib.ExitStack() as stack:
            return os.stat(path.name, dir_fd=self._above(path, stack).fd, follow_symlinks=False).st_size

    def _above(self, path: PurePosixPath, stack: contextlib.ExitStack) -> Directory:
        """Open the directory that contains the relative path; the stack closes it."""
        folder = self
        for part in path.parent.parts:
            folder = stack.enter_context(folder.enter(part))
        return folder


def _walk(name: str, above: int, *, create: bool) -> int:
    try:
        return os.open(name, _WALK, dir_fd=above)
    except FileNotFoundError:
        if not create:
            raise
    # Only for a missing directory: some file systems (NFS) return EACCES or EROFS, not EEXIST, for an existing one.
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=above)
    return os.open(name, _WALK, dir_fd=above)
