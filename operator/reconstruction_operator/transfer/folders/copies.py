"""Delivered copies: which job's result a folder contains, and whether it is complete."""

from __future__ import annotations

from pathlib import Path

from reconstruction_operator.contract.errors import SupersededError
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders import targets
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.runs import Run


def attempt_of(place: Directory, name: str, run: Run, *, predecessors: bool = False) -> int | None:
    """Return the attempt whose result the entry is; None if it is not a result of this job.

    0: the result of a bare task or, with `predecessors`, of a predecessor of this job.
    """
    try:
        with place.enter(name) as folder:
            identity = Manifest.identify(_read_manifest(folder))
    except OSError:
        return None
    if identity is None:
        return None
    job_id, attempt = identity
    if predecessors and job_id in run.predecessors:
        return 0
    return attempt if job_id == run.job_id else None


def is_earlier(place: Directory, name: str, run: Run) -> bool:
    """Return whether the entry is a result of this run's attempt or an earlier one."""
    attempt = attempt_of(place, name, run)
    return attempt is not None and attempt <= run.attempt


def refuse_others(place: Directory, name: str, run: Run) -> None:
    """Raise StorageError (OUTPUT_REFUSED) for a foreign entry, SupersededError for a result of a later attempt."""
    if place.is_empty(name):
        return
    attempt = attempt_of(place, name, run, predecessors=True)
    if attempt is None:
        raise StorageError(targets.REFUSED, f"{place.path / name} is not empty, and holds no result of this job")
    if attempt > run.attempt:
        raise SupersededError


def holds(place: Directory, name: str, source: Path) -> bool:
    """Return whether the entry has the manifest of `source`, and all files of that manifest in full size."""
    try:
        sealed = (source / MANIFEST).read_bytes()
        with place.enter(name) as folder:
            manifest = Manifest.parse(sealed) if _read_manifest(folder) == sealed else None
            return manifest is not None and folder.has_files(manifest.sizes)
    except OSError:
        return False


def _read_manifest(folder: Directory) -> bytes:
    return folder.read(MANIFEST, MAX_MANIFEST_BYTES)
