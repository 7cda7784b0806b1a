"""Kept stages: which finished stages of a run the next attempt uses, and which are kept for other jobs after a success.

Jobs of the same namespace with the same photos continue from kept stages:

    <folder>/<tenant>~<digest>~<job id>~<until>~<bytes>/<stage>~<key>/   kept until that time (whole seconds since 1970)

The tenant is the folder name of the job's namespace (`layout.tenant`); it is empty where there are no namespaces. The
digest covers the namespace, the photos and the model. A note, `.origin.json`, has the digest of each photo: a job with
some of them uses parts of the stages that its model shares.

The stages of a run get here by one rename, and get from here into another run's workspace as hard links: they take
their space once, and a deletion does not disturb a run that uses them. From another file system, both are copies. The
folder is a cache: deleting it only costs time. `models.stages` says what is in a stage.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconstruction_operator import config, disk
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import layout, workspace
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace

logger = logging.getLogger(__name__)

_MOST: Final = 256  # entries: each start, success and deletion of a job lists them
_NOTE: Final = ".origin.json"
_MAX_NOTE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """The stages of one run."""

    path: Path
    tenant: str
    digest: str
    job_id: str
    until: int  # seconds since 1970
    bytes: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What the stages of a run were made from."""

    family: str  # digest of the namespace and the model
    photos: tuple[str, ...]  # SHA-256 of each


class RunStages:
    """The stages of one run of a job, in its workspace."""

    def __init__(self, space: Workspace, attempt: AttemptRef) -> None:
        self._space = space
        self._attempt = attempt
        self._inherited = self._names()
        self._digest = ""  # by which other jobs find them; empty: not kept for others
        self._origin: Origin | None = None

    @property
    def folder(self) -> Path:
        """Where the model writes them."""
        return self._space.stages

    def share(self, key: str, origin: Origin | None = None, shared: Collection[str] = ()) -> None:
        """Use stages of other jobs that have that key, or else those named in `shared` of a job that has some photos of
        `origin`, whose family is a key too. Let `keep` keep those of this run for others, if the settings allow it.
        """
        if not config.settings.KEEP_STAGES_SECONDS:
            return
        self._digest = of_namespace(key, self._attempt.job)
        if self._digest and origin is not None:
            self._origin = replace(origin, family=of_namespace(origin.family, self._attempt.job))
        if self._digest and self._attempt.number == 1:  # a later attempt has them, unless one may have caused a crash
            link(layout.kept_stages(), self._digest, self._space.stages)
            if self._origin is not None:
                link_related(layout.kept_stages(), self._origin, shared, self._space.stages, tenant=self._tenant)
            self._inherited = self._names()

    def are_useful(self, end: End) -> bool:
        """Return whether the next attempt should use the stages.

        If the run began with stages and crashed before it finished another one, one of them may have caused the crash.
        """
        return end.reason != "BACKEND_CRASHED" or not self._inherited or not self._names() <= self._inherited

    def keep(self) -> None:
        """Keep the stages of a published result for other jobs. Failures are only logged."""
        folder, job = layout.kept_stages(), self._attempt.job
        if not self._digest or not self._names():
            return
        try:
            keep(folder, self._space.stages, self._digest, job.uid, tenant=self._tenant, origin=self._origin)
        except (OSError, RecursionError) as error:
            logger.warning("the stages of job %s are not kept: %s", job.uid, error)
        if not JobFolder.of(job.uid).output.exists():  # the job is being deleted
            forget(folder, job.uid)

    @property
    def _tenant(self) -> str:
        return layout.tenant(self._attempt.job.namespace)

    def _names(self) -> set[str]:
        return {path.name for path in workspace.sealed_stages(self._space)}


def of_namespace(key: str, job: JobRef) -> str:
    """Return the digest by which the jobs of the job's namespace, and no others, find kept stages with that key.

    It is empty if the namespace is not known by what NAMESPACE_IDENTITY names.
    """
    identity = job.namespace if config.settings.NAMESPACE_IDENTITY == "name" else job.namespace_uid
    text = f"{job.install_id}/{job.namespace}/{identity}/{key}"
    return hashlib.sha256(text.encode()).hexdigest() if identity else ""


def keep(
    folder: Path, stages: Path, digest: str, job_id: str, *, tenant: str = "", origin: Origin | None = None
) -> None:
    """Move the stages of a run into `folder`, and delete those there that exceed the settings, or what is left on the
    disk.

    Raises OSError if they could not be moved, RecursionError if that takes a copy of very deep folders.
    """
    for path in [path for path in stages.iterdir() if path.name.startswith(".")]:  # unfinished, or too large
        disk.delete_tree(path)
    if origin is not None:
        (stages / _NOTE).write_text(json.dumps(codec.encode(origin)) + "\n")
    size = disk.usage(stages).bytes
    until = int(time.time()) + config.settings.KEEP_STAGES_SECONDS
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(stages, folder / f"{tenant}~{digest}~{job_id}~{until}~{size}")  # copies from another file system
    limit = 0 if disk.is_short(folder) else min(config.settings.STAGES_MAX_BYTES, disk.free_bytes(folder) or 0)
    for kept in beyond(entries(folder), limit):
        delete(kept)


def beyond(kept: Iterable[Kept], limit_bytes: int) -> Iterator[Kept]:
    """Return the entries to delete, so that no more than 256 are left, with `limit_bytes` together.

    The tenant with the most loses its oldest first: a tenant within its share loses nothing to another.
    """
    by_tenant = defaultdict[str, list[Kept]](list)  # the oldest last
    for entry in sorted(kept, key=lambda kept: -kept.until):
        if entry.bytes > limit_bytes:
            yield entry
        else:
            by_tenant[entry.tenant].append(entry)
    sizes = {tenant: sum(entry.bytes for entry in entries) for tenant, entries in by_tenant.items()}
    total = sum(sizes.values())
    count = sum(map(len, by_tenant.values()))
    while total > limit_bytes or count > _MOST:
        shares = sizes if total > limit_bytes else {tenant: len(entries) for tenant, entries in by_tenant.items()}
        oldest = by_tenant[max(shares, key=lambda tenant: shares[tenant])].pop()
        sizes[oldest.tenant] -= oldest.bytes
        total, count = total - oldest.bytes, count - 1
        yield oldest


def link(folder: Path, digest: str, into: Path) -> None:
    """Link (or else copy) the newest sealed stages with that digest into the folder `into`.

    If that fails, they are left out.
    """
    for kept in sorted(entries(folder), key=lambda kept: -kept.until):
        if kept.digest == digest:
            for stage in disk.entries(kept.path):
                if not stage.name.startswith(".") and not (into / stage.name).exists():
                    _link(stage, into)


def link_related(folder: Path, origin: Origin, shared: Collection[str], into: Path, *, tenant: str = "") -> None:
    """Link (or else copy) the stages named in `shared` of the run that has most photos of `origin`, unless `into` has
    stages of those names.

    If that fails, they are left out.
    """
    missing = set(shared) - {path.name.partition("~")[0] for path in disk.entries(into)}
    photos = set(origin.photos)
    candidates = []
    for kept in entries(folder) if missing else ():
        other = _origin(kept) if kept.tenant == tenant else None
        common = len(photos.intersection(other.photos)) if other and other.family == origin.family else 0
        if common:
            candidates.append((common, kept.until, kept.path))
    if candidates:
        for stage in disk.entries(max(candidates)[2]):
            if stage.name.partition("~")[0] in missing:
                _link(stage, into)


def _origin(kept: Kept) -> Origin | None:
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        return codec.decode(Origin, json.loads(disk.read_regular(kept.path / _NOTE, _MAX_NOTE_BYTES)))
    return None


def entries(folder: Path) -> Iterator[Kept]:
    """Return what is kept in `folder`. Other names there are ignored."""
    for path in disk.entries(folder):
        parts = path.name.split("~")
        if len(parts) == 5 and all(part.isascii() and part.isdigit() for part in parts[3:]):  # noqa: PLR2004  # as above
            yield Kept(path, parts[0], parts[1], parts[2], int(parts[3]), int(parts[4]))


def forget(folder: Path, job_id: str) -> None:
    """Delete the stages of that job. A failure is logged; they expire."""
    for kept in entries(folder):
        if kept.job_id == job_id:
            delete(kept)


def expire(folder: Path, now: float) -> None:
    """Delete the stages that expire by `now` (seconds since 1970). Failures are logged."""
    for kept in entries(folder):
        if kept.until <= now:
            delete(kept)


def delete(kept: Kept) -> None:
    """Delete the stages of one run. A failure is logged."""
    try:
        disk.delete_tree(kept.path)  # a run that links them meanwhile finds that its copy is incomplete
    except OSError as error:
        logger.warning("could not delete %s: %s", kept.path, error)
    with contextlib.suppress(OSError):  # it holds others
        kept.path.parent.rmdir()


def _link(stage: Path, into: Path) -> None:
    target = into / f".{uuid.uuid4().hex}"
    try:
        into.mkdir(exist_ok=True)  # without `parents`: a superseded run must not make its workspace anew
        shutil.copytree(stage, target, symlinks=True, copy_function=_link_or_copy)
        target.rename(into / stage.name)
    except (OSError, RecursionError) as error:  # it is being deleted, the disk is full, or it has very deep folders
        logger.info("stage %s of another job is not used: %s", stage.name, error)
        disk.delete_tree(target)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target, follow_symlinks=False)
