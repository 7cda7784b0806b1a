"""Output folder of a local run: new or empty, used by one run at a time, with a folder for the files of the run until
it ends.

A lock on the output folder tells a run that was killed from one that still runs. The kernel releases it with the
process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconstruction_operator import disk
from reconstruction_operator.transfer.errors import StorageError

REFUSED: Final = "OUTPUT_REFUSED"
_PREFIX: Final = ".reconstruction-"


@contextmanager
def opened(output: Path) -> Iterator[Path]:
    """Make the folder, and yield a new folder in it for the files of a run, which is deleted at the end.

    Folders that were made are deleted if they are still empty. What a killed run has left is deleted first.

    Raises:
        StorageError: OUTPUT_REFUSED: the folder cannot be made, has other files, or belongs to another run.

    """
    made: list[Path] = []
    try:
        _make(output, made)
        with _locked(output) as is_locked:
            _check_empty(output, is_locked=is_locked)
            try:
                space = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=output))
            except OSError as error:
                raise StorageError(REFUSED, f"no files can be made in {output}: {error.strerror}") from error
            try:
                yield space
            finally:
                shutil.rmtree(space, ignore_errors=True)  # the next run deletes what is left
    finally:
        with contextlib.suppress(OSError):  # it has files, of this run or another
            for folder in reversed(made):
                folder.rmdir()


def _make(folder: Path, made: list[Path]) -> None:
    """Make the folder and its parents, and add the new ones to `made`."""
    try:
        for path in reversed((folder, *folder.parents)):
            if not path.is_dir():
                path.mkdir()
                made.append(path)
    except FileExistsError as error:
        raise StorageError(REFUSED, f"{error.filename} is a file: name a new folder") from error
    except OSError as error:
        raise StorageError(REFUSED, f"{folder} cannot be made: {error.strerror}") from error


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock the folder, and yield whether its file system has locks."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageError(REFUSED, f"{folder} cannot be read: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(REFUSED, f"another run writes to {folder}: name another folder") from None
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _check_empty(folder: Path, *, is_locked: bool) -> None:
    """Delete what killed runs have left.

    Raises StorageError if other files are there, or if a run may still use them.
    """
    names = disk.names(folder)
    if any(not name.startswith(_PREFIX) for name in names):
        raise StorageError(REFUSED, f"{folder} is not empty: name a new folder")
    for name in names:
        left = f"{folder / name} is the folder of a run that was killed"
        if not is_locked:
            text = f"{left}, or of one that still runs. If none runs, delete it; else name another folder"
            raise StorageError(REFUSED, text)
        try:
            disk.delete_tree(folder / name)
        except OSError as error:
            text = f"{left}, and cannot be deleted: {error.strerror}. Delete it, or name another folder"
            raise StorageError(REFUSED, text) from error
