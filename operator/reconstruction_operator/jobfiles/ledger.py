"""Ledger: what the files of a namespace take on the job volume, for the quota NAMESPACE_VOLUME_BYTES.

    <JOBS_DIR>/.usage/<namespace>/<job id>~<bytes>~<began>   an empty file: what the job's folder took when
                                                             it was measured last

A run measures its own job's folder only, so no step walks the volume. Retained results and kept stages have their sizes
in their names (`trashed`, `kept_stages`). Files with several hard links count for each job that has one.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.jobfiles import kept_stages, layout, trash, trashed
from reconstruction_operator.jobfiles.kept_stages import Kept
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.jobfiles.trashed import Trashed

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """One job's folder."""

    folder: Path
    name: str
    job_id: str
    bytes: int
    began: int  # when its run began (seconds since 1970); 0: it does not run

    @property
    def path(self) -> Path:
        """The empty file."""
        return self.folder / self.name


@dataclass(frozen=True, slots=True)
class Account:
    """What a namespace takes on the volume."""

    folders: tuple[FolderEntry, ...]
    stages: tuple[Kept, ...]
    results: tuple[Trashed, ...]  # in the trash

    @property
    def bytes(self) -> int:
        """All of it."""
        kept = sum(stages.bytes for stages in self.stages) + sum(result.bytes for result in self.results)
        return self.folder_bytes + kept

    @property
    def folder_bytes(self) -> int:
        """What the folders of jobs take, which nothing deletes early."""
        return sum(entry.bytes for entry in self.folders)

    def bytes_of(self, job_id: str) -> int:
        """What that job's folder takes."""
        return sum(entry.bytes for entry in self.folders if entry.job_id == job_id)

    def begun_after(self, job_id: str) -> int:
        """Return how many runs began later than that of this job."""
        order = {(entry.began, entry.job_id) for entry in self.folders if entry.began}
        own = max((key for key in order if key[1] == job_id), default=(0, ""))
        return sum(key > own for key in order if key[1] != job_id)


def account(namespace: str) -> Account:
    """Return what the namespace takes, by names alone."""
    tenant = layout.tenant(namespace)
    stages = (kept for kept in kept_stages.entries(layout.kept_stages()) if kept.tenant == tenant)
    return Account(tuple(_entries(_folder(namespace))), tuple(stages), tuple(trashed.of_namespace(namespace)))


def record(namespace: str, job_id: str, *, began: int = 0) -> None:
    """Measure the job's folder and enter it; without a folder, remove its entry.

    Raises OSError if the ledger cannot be written.
    """
    folder = _folder(namespace)
    root = JobFolder.of(job_id).root
    earlier = [entry.path for entry in _entries(folder) if entry.job_id == job_id]
    path = folder / f"{job_id}~{disk.usage(root).bytes}~{began}"
    if root.exists():
        _make(path)
    if not root.exists():  # also if the job was deleted meanwhile
        path.unlink(missing_ok=True)
    for other in earlier:
        if other != path or not root.exists():
            other.unlink(missing_ok=True)
    _drop_empty(folder)


def forget(namespace: str, job_id: str) -> None:
    """Remove the entry of a job without files. Failures are ignored: the inventory repeats it."""
    with contextlib.suppress(OSError):
        folder = _folder(namespace)
        for entry in list(_entries(folder)):
            if entry.job_id == job_id:
                entry.path.unlink(missing_ok=True)
        _drop_empty(folder)


def expel(namespace: str, limit_bytes: int) -> int:
    """Delete kept stages, then results in the trash of the namespace, the oldest first, until it takes less than the
    limit.

    Return the number of results. Nothing is deleted if that would not suffice. Raises OSError if a result could not be
    deleted.
    """
    now = account(namespace)
    taken, deleted = now.bytes, 0
    if now.folder_bytes >= limit_bytes:
        return 0
    for stages in sorted(now.stages, key=lambda kept: kept.until):
        if taken >= limit_bytes:
            kept_stages.delete(stages)
            taken -= stages.bytes
    for result in sorted(now.results, key=trashed.by_expiry):
        if taken >= limit_bytes:
            deleted += trash.delete(result)
            taken -= result.bytes
    return deleted


def complete(jobs: Iterable[JobRef]) -> None:
    """Enter the folders of these jobs that have no entry: of the time before there was a quota.

    Raises OSError if the ledger cannot be written.
    """
    entered = {(tenant, entry.job_id) for tenant, entry in _all()}
    for job in jobs:
        if (layout.tenant(job.namespace), job.uid) not in entered:
            record(job.namespace, job.uid)


def drop_stale() -> None:
    """Remove the entries of jobs without a folder. Failures are logged."""
    for _, entry in list(_all()):
        try:
            if not JobFolder.of(entry.job_id).root.exists():
                entry.path.unlink(missing_ok=True)
                _drop_empty(entry.path.parent)
        except (OSError, ValueError) as error:
            logger.warning("could not remove %s: %s", entry.path, error)


def _all() -> Iterator[tuple[str, FolderEntry]]:
    """Yield each entry with the name of its namespace's folder."""
    for folder in disk.entries(layout.ledger()):
        yield from ((folder.name, entry) for entry in _entries(folder))


def _entries(folder: Path) -> Iterator[FolderEntry]:
    for name in disk.names(folder):
        job_id, *numbers = name.split("~")
        if job_id and len(numbers) == 2 and all(part.isascii() and part.isdigit() for part in numbers):  # noqa: PLR2004  # as above
            yield FolderEntry(folder, name, job_id, int(numbers[0]), int(numbers[1]))


def _make(path: Path) -> None:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another process has just removed the empty folder
            path.touch()
            return


def _drop_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it has other entries
        folder.rmdir()
        folder.parent.rmdir()


def _folder(namespace: str) -> Path:
    return layout.ledger() / layout.tenant(namespace)
