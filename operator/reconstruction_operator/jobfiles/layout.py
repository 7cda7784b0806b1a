"""Job folder: the layout of a job's files on the shared volume.

    <JOBS_DIR>/<job id>/input                photos for a bare `delay()`, placed by its caller
    <JOBS_DIR>/<job id>/attempts/<n>-<run>   staging directory of one run of attempt n, with its `owner.json`
    <JOBS_DIR>/<job id>/output               the result; appears by one rename, sealed by its `manifest.json`
    <JOBS_DIR>/.deleted/<job id>-<random>    tombstone of a job's folder or of a part of it; `.deleted`
                                             exists only while it holds some
    <JOBS_DIR>/.trash/<namespace>/<shard>/…  results of deleted jobs, kept for some time (`trash`)
    <JOBS_DIR>/.names/<digest>/<job id>      index entry of a result, by namespace and name of its job (`results`)
    <JOBS_DIR>/.stages/…                     finished stages of successful runs, for other jobs (`kept_stages`)
    <JOBS_DIR>/.usage/<namespace>/…          what job folders take, if there are quotas (`ledger`)

An attempt can have two runs, if Redis loses its data after the first one started. Other names that begin with a dot are
moved aside by one atomic rename, to be deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from reconstruction_operator import config, disk
from reconstruction_operator.api.identity import AttemptRef, check_job_id

logger = logging.getLogger(__name__)

OWNER = "owner.json"
EARLY_LOOK = "early.glb"  # as in `models.interface`
_DELETED = ".deleted"  # a separate folder of tombstones, so that a deletion need not list all jobs
_TRASH = ".trash"
_NAMES = ".names"
_STAGES = ".stages"
_USAGE = ".usage"
_GONE = ".gone-"  # tombstone of a superseded run's folder
_RUN_CHARS = 8
_SHARD_CHARS = 2  # 256 folders for the trash of a namespace, so that a look for one job lists few names
_DIGEST_CHARS = 32
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_UNIQUE_CHARS = len(uuid.uuid4().hex)


def _below(name: str) -> cached_property[Path]:
    return cached_property(lambda folder: folder.root / name)


@dataclass(frozen=True)  # no slots, since it caches its paths, which a run reads many times
class JobFolder:
    """All files of one job. Create it with `of`, which checks the job id."""

    root: Path

    @classmethod
    def of(cls, job_id: str) -> JobFolder:
        """Return the folder of that job, which need not exist.

        Raises ValueError for a job id that is not safe as a path (path traversal).
        """
        return _folder(config.settings.JOBS_DIR, check_job_id(job_id))

    @classmethod
    def all(cls) -> Iterator[JobFolder]:
        """Return every folder that may belong to a job. Raises OSError if they cannot be listed."""
        return (cls(path) for path in volume().iterdir() if not path.name.startswith("."))

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.root.name

    input = _below("input")
    """The photos of a job that was started by a bare `delay()`."""

    output = _below("output")
    """The published result."""

    attempts = _below("attempts")
    """The folders of all runs."""

    def new_workspace(self, attempt: AttemptRef) -> Workspace:
        """Return a workspace with a unique name for a run of that attempt."""
        return Workspace(self.attempts / f"{_prefix(attempt)}{uuid.uuid4().hex[:_RUN_CHARS]}")

    def workspace(self, name: str) -> Workspace:
        """Return the workspace of that name, which may not exist."""
        return Workspace(self.attempts / name)

    def workspaces(self) -> list[Workspace]:
        """Return the workspaces of runs that are not superseded."""
        return [Workspace(path) for path in disk.entries(self.attempts) if not path.name.startswith(_GONE)]

    def retired(self) -> list[Path]:
        """Return the tombstones of superseded runs' workspaces."""
        return list(self.attempts.glob(f"{_GONE}*"))

    def condemn(self) -> bool:
        """Rename the whole folder to a tombstone; return whether it existed."""
        while os.path.lexists(self.root):
            with contextlib.suppress(FileNotFoundError):  # another deletion was faster
                condemn(self.root, self.job_id)
                return True
        return False

    def condemned(self) -> list[Path]:
        """Return the tombstones of this job's folder, including those of interrupted deletions."""
        prefix = f"{self.job_id}-"
        # The length distinguishes them from the tombstones of a job `<job id>-…`.
        return [
            path
            for path in disk.entries(_deleted())
            if path.name.startswith(prefix) and len(path.name) == len(prefix) + _UNIQUE_CHARS
        ]


@dataclass(frozen=True)  # no slots, as above
class Workspace:
    """Staging directory of one run of an attempt. The run writes only below `root`."""

    root: Path

    photos = _below("input")
    """The run's own copy of the photos, until they are checked."""

    loaded = _below("loaded")
    """The photos once they are checked (`jobfiles.photos`): the next attempt takes them over."""

    fetched = _below("fetched")
    """Objects as they were fetched: the next attempt takes them over. Exists only if the input is in object storage."""

    scratch = _below("scratch")
    """Temporary files of the model."""

    early_look = _below(f"scratch/{EARLY_LOOK}")
    """What the model shows before it has a mesh."""

    stages = _below("stages")
    """Stages that the model has finished: the next attempt takes the sealed ones over. Exists only if the model keeps
    stages.
    """

    plan = _below("helpers/plan.json")
    """What workers that help the run need (`worker.parts`). Exists only if the run was helped; beside it are the
    helpers' temporary files.
    """

    output = _below("output")
    """Staging directory of the result: one rename makes it the job's output."""

    owner_note = _below(OWNER)
    """The note that names the job's owner and where the run delivers."""

    @property
    def attempt(self) -> int:
        """The attempt's number; 0 for a bare task."""
        digits = self.root.name.partition("-")[0]
        return int(digits) if digits.isdecimal() else 0

    def is_of(self, attempt: AttemptRef) -> bool:
        """Return whether this is the workspace of a run of that attempt."""
        return self.root.name.startswith(_prefix(attempt))

    def retire(self) -> None:
        """Rename the workspace to a tombstone: the next rename of a run that still works here fails."""
        disk.set_aside(self.root, _GONE)

    def discard(self) -> None:
        """Delete the workspace, and the folders above it if they are empty. Failures are only logged."""
        try:
            delete(self.root, self.root.parent.parent.name)
        except FileNotFoundError:  # another process has deleted it
            pass
        except OSError as error:
            logger.warning("could not delete %s: %s", self.root, error)
        for folder in (self.root.parent, self.root.parent.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()


@lru_cache(maxsize=64)
def _folder(jobs_dir: str, job_id: str) -> JobFolder:
    return JobFolder(Path(jobs_dir) / job_id)


def condemn(path: Path, job_id: str) -> Path:
    """Rename a folder of that job to a tombstone and return that.

    Raises FileNotFoundError if the folder does not exist.
    """
    tombstone = _deleted() / f"{job_id}-{uuid.uuid4().hex}"
    while True:
        with contextlib.suppress(FileExistsError):  # `exist_ok` raises it if the folder vanishes
            tombstone.parent.mkdir()
        try:
            path.rename(tombstone)
        except FileNotFoundError:
            if not os.path.lexists(path):
                raise
            continue  # another deletion has just removed the empty `.deleted`
        return tombstone


def delete(path: Path, job_id: str) -> None:
    """Delete a folder of that job.

    It becomes a tombstone first: files without the note that names their owner are never found.

    Raises FileNotFoundError if the folder does not exist, OSError if it could not be renamed or deleted.
    """
    try:
        disk.delete_tree(condemn(path, job_id))
    finally:
        drop_empty()


def volume() -> Path:
    """Return the folder of all job folders."""
    return Path(config.settings.JOBS_DIR)


def tenant(namespace: str) -> str:
    """Return the name of a namespace's folders: the namespace itself, or a digest of a text that is none."""
    if _NAMESPACE.fullmatch(namespace):
        return namespace
    return f"_{hashlib.sha256(namespace.encode()).hexdigest()[:_DIGEST_CHARS]}"


def trash() -> Path:
    """Return the folder of the trash, which exists only while it holds a result."""
    return volume() / _TRASH


def trash_shard(namespace: str, job_id: str) -> Path:
    """Return the folder of the trash that holds the result of that job, if any does."""
    return trash() / tenant(namespace) / hashlib.sha256(job_id.encode()).hexdigest()[:_SHARD_CHARS]


def names() -> Path:
    """Return the folder of the index of results."""
    return volume() / _NAMES


def kept_stages(of_volume: Path | None = None) -> Path:
    """Return the folder of stages that other jobs may use; None: of the volume of the settings."""
    return (of_volume or volume()) / _STAGES


def ledger() -> Path:
    """Return the folder of what the namespaces' jobs take."""
    return volume() / _USAGE


def tombstones() -> list[Path]:
    """Return job folders whose deletion has begun. Another worker may be deleting them now."""
    return disk.entries(_deleted())


def drop_empty() -> None:
    """Remove the folder of tombstones if it is empty."""
    with contextlib.suppress(OSError):
        _deleted().rmdir()


def _deleted() -> Path:
    return volume() / _DELETED


def _prefix(attempt: AttemptRef) -> str:
    if not attempt.is_bare:
        return f"{attempt.number}-"
    # any text can be a Celery task id
    return f"task-{hashlib.sha256(attempt.task_id.encode()).hexdigest()[:_DIGEST_CHARS]}-"
