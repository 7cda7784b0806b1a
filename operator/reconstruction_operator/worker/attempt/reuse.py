"""Reuse: a job takes over the result of an earlier job of its namespace and name, instead of running its model.

The earlier job may be deleted. After a restored backup, or if a manifest is applied again, its result is in the folder of another job
or in the trash.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from reconstruction_operator import config, disk
from reconstruction_operator.api import spec
from reconstruction_operator.api.status import ReusedFrom
from reconstruction_operator.contract.fingerprint import KnownInput, recipe
from reconstruction_operator.contract.manifest import MESH, Manifest, SealedFile
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles import results, workspace
from reconstruction_operator.jobfiles.results import EarlierResult
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.transfer import outputs
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.model.selection import Choice

logger = logging.getLogger(__name__)

# Errors of a file system without hard links, or with files of another user.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


@dataclass(frozen=True, slots=True)
class Copy:
    """A result of an earlier job of which only the copy at this job's output address is left (from another volume or cluster)."""

    manifest: Manifest
    uri: str


@dataclass(frozen=True, slots=True)
class Reusable:
    """The results that a job may take over, newest first; a copy comes last."""

    results: tuple[EarlierResult | Copy, ...] = ()

    @property
    def known(self) -> tuple[KnownInput, ...]:
        """The inputs that the results were made from."""
        made = (found.manifest for found in self.results)
        return tuple(KnownInput(one.input_digest, one.images, one.input_bytes) for one in made)

    @property
    def job_ids(self) -> frozenset[str]:
        """The jobs that made the results."""
        return frozenset(found.manifest.job_id for found in self.results)

    def made_from(self, digest: str) -> tuple[EarlierResult | Copy, ...]:
        """Return the results that were made from that input."""
        return tuple(found for found in self.results if found.manifest.input_digest == digest)


def reusable(assignment: Assignment, choice: Choice | None) -> Reusable:
    """Return the results that the job may take over: those of its namespace and name.

    With `choice`, only those of the same model in the same version and with the same parameters.
    """
    if not is_heir(assignment, choice):
        return Reusable()
    return Reusable(tuple(one for one in _of_same_name(assignment) if fits(one.manifest, choice)))


def is_heir(assignment: Assignment, choice: Choice | None) -> bool:
    """Return whether the job may take over a result at all."""
    return choice is None or (assignment.envelope.reuse == spec.IF_UNCHANGED and not choice.simulated)


def fits(manifest: Manifest, choice: Choice | None) -> bool:
    """Return whether the job may take over that result of its namespace and name, if the result was made from the job's photos."""
    if choice is None:
        return True
    name = choice.model.name
    is_known = bool(manifest.input_digest) and not manifest.simulated
    return is_known and manifest.recipe == recipe(name, registry.version(name), choice.parameters)


def not_found(assignment: Assignment) -> ModelFailure:
    """Return the failure of a job that has to take over a result but finds none."""
    text = f"no result of an earlier job {assignment.title} is on the volume of this worker"
    return ModelFailure("RESULT_NOT_FOUND", text)


def is_moderate(manifest: Manifest) -> bool:
    """Return whether the copy, which any program may have written, is small enough to be read."""
    return all(size >= 0 for _, size in manifest.sizes) and (
        sum(size for _, size in manifest.sizes) <= config.settings.INPUT_MAX_BYTES
    )


def take_over(
    found: EarlierResult | Copy, output: Path, assignment: Assignment, check: Callable[[], None]
) -> Manifest | None:
    """Fill the empty folder `output` with the same result, sealed as this job's; return None if the result is no longer complete.

    The files are hard links to the earlier result, or copies where links are not possible. `check` is called often, and may
    raise. Raises OSError if the disk fails, StorageError if a copy cannot be read.
    """
    made_by = found.manifest
    try:
        if not _is_sound(made_by):
            intact = False
        elif isinstance(found, Copy):
            intact = _collect(found, output, assignment.envelope.namespace, check)
        else:
            intact = all(_link(found.path, output, one, check) for one in made_by.files)
    except FileNotFoundError:  # the result is being deleted
        intact = False
    if not intact:
        logger.warning("the result of job %s is no longer complete and is not taken over", made_by.job_id)
        workspace.empty(output)
        return None
    for folder in {(output / one.name).parent for one in made_by.files}:
        disk.sync(folder)
    manifest = replace(
        made_by,
        job_id=assignment.job_id,
        task_id=assignment.task_id,
        attempt=assignment.attempt,
        uri=assignment.envelope.output_uri,
        owner=assignment.owner,
        input_uri=assignment.envelope.input_uri,
        retain_seconds=assignment.envelope.retain_seconds,
        resumed_from="",
        reused_from=made_by.reused_from or _maker(found),
    )
    manifests.seal(output, manifest)
    return manifest


def _of_same_name(assignment: Assignment) -> tuple[EarlierResult, ...]:
    owner = assignment.owner
    if owner is None or not (owner.namespace and owner.name):
        return ()
    return tuple(results.find(owner.namespace, owner.name, besides=owner.job_id))


def _maker(found: EarlierResult | Copy) -> ReusedFrom:
    if isinstance(found, Copy):
        return ReusedFrom(found.manifest.job_id, found.manifest.attempt)
    sealed_at = datetime.fromtimestamp(int(found.sealed_at), UTC)
    return ReusedFrom(found.manifest.job_id, found.manifest.attempt, sealed_at)


def _collect(copy: Copy, output: Path, namespace: str, check: Callable[[], None]) -> bool:
    """Copy the files into `output`; return whether they equal the sealed files. Other programs may write to the copy."""
    files = copy.manifest.files
    outputs.collect(copy.uri, copy.manifest, output, check, namespace=namespace)
    return all(_digest(output / one.name, check) == one.sha256 for one in files)


def _is_sound(manifest: Manifest) -> bool:
    """Return whether the manifest, which may have been edited, names a mesh, each file once, and no file outside its folder."""
    paths = {PurePosixPath(one.name) for one in manifest.files}
    has_mesh = PurePosixPath(MESH) in paths
    return has_mesh and len(paths) == len(manifest.files) and all(_is_below(one.name) for one in manifest.files)


def _is_below(name: str) -> bool:
    """Return whether the name stays below its folder (path traversal)."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _link(source: Path, output: Path, sealed: SealedFile, check: Callable[[], None]) -> bool:
    """Link or copy one file into `output`; return whether it equals the sealed file."""
    name = PurePosixPath(sealed.name)
    target = output / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source / name, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        check()
        shutil.copyfile(source / name, target, follow_symlinks=False)
        disk.sync(target)
    return not target.is_symlink() and _digest(target, check) == sealed.sha256


def _digest(path: Path, check: Callable[[], None]) -> str:
    with path.open("rb") as file:
        return disk.digest(file, check)
