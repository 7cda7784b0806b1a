"""The folders of a job, and their end.

    <JOBS_DIR>/<job id>/input                photos that somebody put there for a bare `delay()`
    <JOBS_DIR>/<job id>/attempts/<n>-<run>   all that one run of attempt n writes
    <JOBS_DIR>/<job id>/output               the result; appears by one rename, sealed by its manifest.json

There are two runs of one attempt where Redis has forgotten that the first had begun.

A job id is checked before it becomes a path: everything here raises ValueError for one that is not safe.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.api.identity import check_job_id

_CONDEMNED = ".deleted-"  # no job id begins with a dot
_DELETE_SECONDS = 10.0  # somebody who still writes there can spoil many tries


def job_dir(job_id: str) -> Path:
    """All of the job."""
    return Path(config.settings.JOBS_DIR) / check_job_id(job_id)


def input_dir(job_id: str) -> Path:
    """The photos of a job that was started by a bare `delay()`."""
    return job_dir(job_id) / "input"


def output_dir(job_id: str) -> Path:
    """The published result."""
    return job_dir(job_id) / "output"


def attempts_dir(job_id: str) -> Path:
    """The folders of all attempts."""
    return job_dir(job_id) / "attempts"


def attempt_prefix(attempt: int) -> str:
    """How the names of the folders begin in which runs of that attempt work."""
    return f"{attempt}-"


def bare_prefix(task_id: str) -> str:
    """The same for a task without an attempt number; any text can be a Celery task id."""
    return f"task-{hashlib.sha256(task_id.encode()).hexdigest()[:32]}-"


def delete_job_files(job_id: str) -> bool:
    """Deletes the job's folder with all that is in it; says whether there was one. Links are removed, never followed.

    The folder gets out of the way by one rename first, so that nobody ever sees half of it, and an attempt that still
    runs cannot publish any more.

    Raises:
        OSError: the folder could not be moved or emptied.

    """
    folder = job_dir(job_id)
    existed = set_aside(folder, f"{_CONDEMNED}{job_id}-") is not None
    prefix = f"{_CONDEMNED}{job_id}-"
    for left in condemned():  # also what a worker left that died here
        # By its length as well: not of the job `<job id>-…`.
        if left.name.startswith(prefix) and len(left.name) == len(prefix) + len(uuid.uuid4().hex):
            delete_tree(left)
    return existed


def condemned() -> Iterator[Path]:
    """The folders that were a job's until their deletion began. Others may be deleting them just now."""
    return Path(config.settings.JOBS_DIR).glob(f"{_CONDEMNED}*")


def set_aside(path: Path, prefix: str) -> Path | None:
    """Renames `path` to a new name with that prefix beside it; returns that, or None if there was nothing."""
    target = path.with_name(prefix + uuid.uuid4().hex)
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    return target


def delete_tree(path: Path) -> None:
    """Deletes a folder, file or link, whatever others delete or add there meanwhile.

    Raises:
        OSError: something could not be deleted.

    """
    deadline = time.monotonic() + _DELETE_SECONDS
    while path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # all that can be deleted, whatever is in the way of the rest
        try:
            shutil.rmtree(path)  # says what is in the way
        except FileNotFoundError:  # others delete it as well
            if time.monotonic() > deadline:  # or a directory names what is not there
                raise
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
    path.unlink(missing_ok=True)


def free_bytes(path: Path) -> int | None:
    """Bytes that are left on the disk of that path, or of its nearest parent that exists."""
    for candidate in (path, *path.parents):
        with contextlib.suppress(OSError):
            usage = os.statvfs(candidate)
            return usage.f_bavail * usage.f_frsize
    return None
