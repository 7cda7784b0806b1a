"""Publishing: one rename makes the sealed output of a run the job's output."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import layout
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace

_REPLACED = ".replaced-"  # tombstone of an earlier output
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}  # errors of rename(2) if the target exists


def publish(workspace: Workspace, job_id: str, *, replace: bool) -> Manifest | None:
    """Rename the run's output to the job's and return None; or return the manifest of another attempt's result.

    With `replace`, an earlier result is moved aside. Without it, a sealed result stays and its manifest is returned:
    another attempt of this job was faster. It is not moved, not even for a moment: a superseded run may pause anywhere
    in this function and continue after its successor's result has been reported.

    Raises SupersededError if a later attempt has taken over, or the job's files were deleted.
    """
    folder = JobFolder.of(job_id)
    while not _move_in(workspace.output, folder.output):
        standing = None if replace else read_sealed(job_id)
        if standing is not None:
            return standing
        _clear(folder, replace=replace)
    disk.sync(folder.root)
    return None


def read_sealed(job_id: str) -> Manifest | None:
    """Return the manifest of the job's output if all its files exist in full size; otherwise None."""
    return manifests.read_sealed(JobFolder.of(job_id).output, job_id)


def _move_in(output: Path, target: Path) -> bool:
    """Rename `output` to `target` unless the target exists; return whether it was renamed."""
    try:
        output.rename(target)
    except FileNotFoundError:
        raise SupersededError from None
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        return False
    return True


def _clear(folder: JobFolder, *, replace: bool) -> None:
    """Move the folder that blocks the output aside and delete it.

    A result that another run has just published is moved back.
    """
    previous = disk.set_aside(folder.output, _REPLACED)
    if previous is None:
        return
    with contextlib.suppress(OSError):  # the folder no longer blocks the output, and is deleted with the job's folder
        if not replace and manifests.read_sealed(previous, folder.job_id) is not None:
            previous.rename(folder.output)
        layout.delete(previous, folder.job_id)
