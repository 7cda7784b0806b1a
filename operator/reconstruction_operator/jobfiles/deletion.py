"""Deletion of a job's folder, in two steps: one rename makes it a tombstone, then the tombstone is deleted."""

from __future__ import annotations

import logging

from reconstruction_operator import disk
from reconstruction_operator.jobfiles import layout, notes, results, trash
from reconstruction_operator.jobfiles.layout import JobFolder

logger = logging.getLogger(__name__)


def delete_job_files(job_id: str, *, retain_until: float = 0.0) -> bool:
    """Delete the job's folder with its contents; return whether it existed. Links are removed, never followed.

    With `retain_until` (seconds since 1970), a complete result stays in the trash until then.

    The rename comes first: no reader ever sees half of the folder, and a run that still works there can no longer publish.

    Raises ValueError for an unsafe job id, OSError if the folder could not be moved or deleted.
    """
    folder = JobFolder.of(job_id)
    owner = notes.owner_of(folder)
    retained = retain_until > 0.0 and trash.keep(folder, retain_until)
    existed = folder.condemn()
    if owner is not None and not retained and trash.find(job_id) is None:
        results.forget(owner)
    for tombstone in folder.condemned():
        disk.delete_tree(tombstone)
    layout.drop_empty()
    return existed


def finish_deletions() -> None:
    """Delete the tombstones of interrupted deletions. A failure is logged; the next call tries again."""
    for tombstone in layout.tombstones():
        try:
            disk.delete_tree(tombstone)
        except OSError as error:
            logger.warning("could not finish an earlier deletion: %s", error)
    layout.drop_empty()
