"""Index of results by the names of their jobs: a job that is created again finds the result of an earlier one.

    <JOBS_DIR>/.names/<digest of namespace/name>/<job id>   an empty file: that job has a result, or is about to
                                                            publish one

A result is in its job's folder or in the trash. An entry counts only if its result is complete and has the same tenant
and name: another tenant may have had a namespace of that name.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconstruction_operator import config, disk
from reconstruction_operator.api.identity import JobRef, check_job_id
from reconstruction_operator.contract.manifest import MANIFEST, Manifest
from reconstruction_operator.jobfiles import layout, trashed
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import JobFolder

logger = logging.getLogger(__name__)

_NEWEST: Final = 16  # results of one name that are considered
_MOST_ENTRIES: Final = 64  # of one name; a job that is created again each minute leaves thousands
_DIGEST_CHARS: Final = 32


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """A complete result of an earlier job."""

    path: Path
    manifest: Manifest
    sealed_at: float  # seconds since 1970


def note(job: JobRef) -> None:
    """Add an entry for the job.

    A failure is only logged: without an entry, a later job of that name runs its model again.
    """
    folder = _folder(job.namespace, job.name)
    try:
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another process has just removed the empty folder
                (folder / check_job_id(job.uid)).touch()
                break
        for _, job_id in _dated(folder)[_MOST_ENTRIES:]:
            (folder / job_id).unlink(missing_ok=True)
    except OSError as error:
        logger.warning("could not add the result of %s to the index: %s", job, error)


def forget(job: JobRef) -> None:
    """Remove the entry of a deleted result."""
    folder = _folder(job.namespace, job.name)
    with contextlib.suppress(OSError):
        (folder / check_job_id(job.uid)).unlink(missing_ok=True)
        folder.rmdir()
        folder.parent.rmdir()


def find(job: JobRef) -> Iterator[EarlierResult]:
    """Yield the complete results of other jobs of the job's tenant and name, newest first."""
    namespace, name, besides = job.namespace, job.name, job.uid
    job_ids = (
        job_id for _, job_id in _dated(_folder(namespace, name)) if job_id != besides and _exists(namespace, job_id)
    )
    for job_id in itertools.islice(job_ids, _NEWEST):
        result = of_job(namespace, job_id)
        if result is None:
            continue
        earlier = result.manifest.attempt
        if not earlier.is_bare and earlier.job.name == name and is_of_tenant(earlier.job, job):
            yield result


def is_of_tenant(earlier: JobRef, job: JobRef) -> bool:
    """Return whether both jobs are of one tenant: of a namespace with one uid or, by NAMESPACE_IDENTITY, with one name.

    A namespace whose uid is not known is nobody's.
    """
    if earlier.namespace != job.namespace:
        return False
    by_name = config.settings.NAMESPACE_IDENTITY == "name"
    return by_name or (bool(job.namespace_uid) and earlier.namespace_uid == job.namespace_uid)


def drop_stale() -> None:
    """Remove entries without a result, which was never published or whose owner's note was lost.

    Raises OSError if they cannot be listed.
    """
    kept = {result.job_id for result in trashed.entries()}
    for folder in disk.entries(layout.names()):
        for path in disk.entries(folder):
            with contextlib.suppress(OSError, ValueError):
                if not JobFolder.of(path.name).root.exists() and path.name not in kept:
                    path.unlink()
        with contextlib.suppress(OSError):  # the folder is not empty
            folder.rmdir()
    with contextlib.suppress(OSError):
        layout.names().rmdir()


def _folder(namespace: str, name: str) -> Path:
    digest = hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()
    return layout.names() / digest[:_DIGEST_CHARS]


def _dated(folder: Path) -> list[tuple[float, str]]:
    """Return time and job id of each entry, newest first."""
    dated = []
    for path in disk.entries(folder):
        with contextlib.suppress(OSError, ValueError):
            dated.append((path.stat().st_mtime, check_job_id(path.name)))
    return sorted(dated, reverse=True)


def _exists(namespace: str, job_id: str) -> bool:
    return JobFolder.of(job_id).root.exists() or trashed.find(namespace, job_id) is not None


def of_job(namespace: str, job_id: str) -> EarlierResult | None:
    """Return the complete result of the namespace's job, from its folder or the trash; None if there is none."""
    # In this order, since the result may meanwhile be moved from the job's folder to the trash.
    result = _whole(JobFolder.of(job_id).output, job_id)
    kept = None if result else trashed.find(namespace, job_id)
    return result if kept is None else _whole(kept.path, job_id)


def _whole(path: Path, job_id: str) -> EarlierResult | None:
    manifest = manifests.read_sealed(path, job_id)
    if manifest is not None:
        with contextlib.suppress(OSError):
            return EarlierResult(path, manifest, (path / MANIFEST).stat().st_mtime)
    return None
