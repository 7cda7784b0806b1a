"""Workspace: prepares a run's staging directory, reuses files of earlier runs and deletes their leftovers."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.jobfiles import layout
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace

logger = logging.getLogger(__name__)


def prepare(attempt: AttemptRef) -> Workspace:
    """Create an empty workspace for a run of that attempt.

    The workspaces of earlier runs become tombstones, which `delete_predecessors` deletes. A superseded run that still
    works in one of them fails at its last rename. Workspaces have unique names: a superseded run can neither write into
    its successor's workspace nor delete it. A bare task retires only its own earlier runs.

    Raises SupersededError if a later attempt has a workspace, OSError if the job folders cannot be written.
    """
    folder = JobFolder.of(attempt.job_id)
    workspace = folder.new_workspace(attempt)
    # Create first, then list: if two runs do so at the same time, at least one sees the other.
    _make(workspace.root)
    try:
        _retire_others(folder, workspace, attempt)
    except BaseException:
        workspace.discard()
        raise
    return workspace


def delete_predecessors(job_id: str, successor: Workspace) -> None:
    """Delete the tombstones of earlier runs, after `successor` took over their fetched objects, checked photos and
    sealed stages.

    Call it after this run has noted where those runs may have delivered.
    """
    for tombstone in JobFolder.of(job_id).retired():
        try:
            earlier = Workspace(tombstone)
            _inherit(_whole(earlier.fetched), successor.fetched)
            _inherit([path for path in (earlier.loaded,) if path.exists()], successor.root)
            _inherit(sealed_stages(earlier), successor.stages)
            layout.delete(tombstone, job_id)
        except OSError as error:
            logger.warning("could not delete %s of an earlier attempt: %s", tombstone, error)


def empty(folder: Path) -> None:
    """Delete the contents of the folder. Raises OSError if an entry could not be deleted."""
    for path in disk.entries(folder):
        disk.delete_tree(path)


def keep_for_the_next(workspace: Workspace, *, stages: bool) -> bool:
    """Delete the workspace except the files that the next attempt takes over; return False if there are none.

    These are fetched objects, checked photos and, with `stages`, sealed stages. The note of the owner stays with them.
    """
    sealed = sealed_stages(workspace) if stages else []
    kept = [
        *([workspace.stages] if sealed else []),
        *([workspace.fetched] if _whole(workspace.fetched) else []),
        *([workspace.loaded] if workspace.loaded.exists() else []),
    ]
    if not kept:
        return False
    spared = {workspace.owner_note, *kept, *sealed}
    try:
        for folder in (workspace.root, workspace.stages):
            for path in disk.entries(folder):
                if path not in spared:
                    disk.delete_tree(path)
    except OSError as error:
        logger.warning("could not empty %s: %s", workspace.root, error)
    return True


def sealed_stages(workspace: Workspace) -> list[Path]:
    """Return the stages that the model has sealed by a rename (`models.stages`): names without a leading dot."""
    return [path for path in disk.entries(workspace.stages) if not path.name.startswith(".")]


def _whole(fetched: Path) -> list[Path]:
    return [path for path in disk.entries(fetched) if not path.suffix]  # partial files begin with a dot


def _inherit(paths: list[Path], successor: Path) -> None:
    """Move files and stages, each by one rename. A superseded run that still writes there fails at its next rename."""
    if paths:
        successor.mkdir(exist_ok=True)
    for path in paths:
        try:
            path.rename(successor / path.name)
        except FileNotFoundError:  # a later run is taking it over
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # already taken over from another earlier run
                raise


def _retire_others(folder: JobFolder, workspace: Workspace, attempt: AttemptRef) -> None:
    others = [earlier for earlier in folder.workspaces() if earlier != workspace]
    if not attempt.is_bare and any(earlier.attempt > attempt.number for earlier in others):
        raise SupersededError
    for earlier in others:
        if earlier.is_of(attempt) or (not attempt.is_bare and earlier.attempt > 0):
            earlier.retire()
    for path in (workspace.photos, workspace.scratch, workspace.output):
        path.mkdir()


def _make(folder: Path) -> None:
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileNotFoundError:
            continue  # a run that ended has just deleted its workspace and the empty folders above it
        return
