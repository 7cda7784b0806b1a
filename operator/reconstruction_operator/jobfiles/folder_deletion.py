"""Deletion of a job's folder, in two steps: one rename makes it a tombstone, then the tombstone is deleted."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.jobfiles import kept_stages, layout, ledger, notes, results, trash, trashed
from reconstruction_operator.jobfiles.layout import JobFolder

logger = logging.getLogger(__name__)


def delete_job_files(job_id: str, *, retain_until: float = 0.0) -> bool:
    """Delete the job's folder with its contents; return whether it existed. Links are removed, never followed.

    With `retain_until` (seconds since 1970), a complete result stays in the trash until then.

    The rename comes first: no reader ever sees half of the folder, and a run that still works there can no longer
    publish.

    Raises ValueError for an unsafe job id, OSError if the folder could not be moved or deleted.
    """
    folder = JobFolder.of(job_id)
    owner = notes.owner_of(folder)
    retained = retain_until > 0.0 and trash.keep(folder, retain_until)
    existed = folder.condemn()
    kept_stages.forget(layout.kept_stages(), job_id)
    if owner is not None and not retained and trashed.find(owner.job.namespace, job_id) is None:
        results.forget(owner.job)
    if owner is not None:
        ledger.forget(owner.job.namespace, job_id)
    for tombstone in folder.condemned():
        disk.delete_tree(tombstone)
    layout.drop_empty()
    return existed


def drop_empty_folders(before: float) -> None:
    """Delete job folders without any content that last changed before that time (seconds since 1970).

    Failures are logged.

    A worker that was killed at its start leaves such a folder, without the note that names its owner. The folder of a
    bare `delay()` stays: its caller makes it.

    Raises OSError if the job folders cannot be listed.
    """
    for folder in JobFolder.all():
        try:
            changed_at = _changed_at(folder)
            if changed_at is not None and changed_at < before:
                layout.delete(folder.root, folder.job_id)
        except (OSError, ValueError) as error:
            logger.warning("could not delete the empty folder %s: %s", folder.root, error)


def _changed_at(folder: JobFolder) -> float | None:
    """Return when the newest directory of the folder last changed; None if a file has content, or a caller made the
    folder.
    """
    if folder.input.exists():
        return None
    newest = 0.0
    for root, _, files in os.walk(folder.root, onerror=_fail):
        if any((Path(root) / name).lstat().st_size for name in files):
            return None
        newest = max(newest, Path(root).stat().st_mtime)
    return newest or None


def finish_deletions() -> None:
    """Delete the tombstones of interrupted deletions. A failure is logged; the next call tries again."""
    for tombstone in layout.tombstones():
        try:
            disk.delete_tree(tombstone)
        except OSError as error:
            logger.warning("could not finish an earlier deletion: %s", error)
    layout.drop_empty()


def _fail(error: OSError) -> None:
    raise error
