"""Reuse: a job takes over the result of an earlier job of its tenant and name, instead of running its model.

The earlier job may be deleted. After a restored backup, or if a manifest is applied again, its result is in the folder
of another job or in the trash.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Self

from reconstruction_operator import disk
from reconstruction_operator.api import spec
from reconstruction_operator.api.attempt_status import Inputs
from reconstruction_operator.api.status import ReusedFrom
from reconstruction_operator.contract.fingerprint import KnownInput, recipe
from reconstruction_operator.contract.manifest import Manifest, SealedFile
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles import results, workspace
from reconstruction_operator.jobfiles.results import EarlierResult
from reconstruction_operator.models import registry
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.model.selection import Choice

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EarlierResults:
    """The results on the workers' volume that a job may take over, newest first: those of its tenant and name.

    Of a job that runs a model, only those of the same model in the same version and with the same parameters.
    """

    assignment: Assignment
    results: tuple[EarlierResult, ...] = ()

    @classmethod
    def find(cls, assignment: Assignment, choice: Choice | None) -> Self:
        """Find them; without `choice`, the job runs no model."""
        if choice is None:
            return cls(assignment, tuple(_of_same_name(assignment)))
        if assignment.envelope.orders.reuse != spec.IF_UNCHANGED or choice.simulated:
            return cls(assignment)
        name = choice.model.name
        own = recipe(name, registry.version(name), choice.parameters)
        sealed = ((result, result.manifest) for result in _of_same_name(assignment))
        same = (
            result for result, source in sealed if source.input_digest and not source.simulated and source.recipe == own
        )
        return cls(assignment, tuple(same))

    @property
    def job_ids(self) -> frozenset[str]:
        """The jobs that made them."""
        return frozenset(result.manifest.attempt.job_id for result in self.results)

    @property
    def inputs(self) -> tuple[KnownInput, ...]:
        """The inputs that they were made from."""
        sealed = ((each.manifest.input_digest, each.manifest.findings.inputs or Inputs()) for each in self.results)
        return tuple(KnownInput(digest, inputs.images, inputs.bytes) for digest, inputs in sealed)

    def take_over(self, output: Path, check: Callable[[], None], digest: str | None = None) -> Manifest | None:
        """Take over the first complete result into the empty folder `output`; return None if none is complete.

        With `digest`, only one that was made from that input. `check` is called often, and may raise.
        """
        for result in self.results:
            if digest is None or result.manifest.input_digest == digest:
                manifest = take_over(result, output, self.assignment, check)
                if manifest is not None:
                    source = result.manifest.attempt.job_id
                    logger.info("%s takes over the result of job %s", self.assignment.job, source)
                    return manifest
        return None


def take_over(
    result: EarlierResult, output: Path, assignment: Assignment, check: Callable[[], None]
) -> Manifest | None:
    """Fill the empty folder `output` with the same result, sealed as this job's; return None if the result is no longer
    complete.

    The files are hard links to the earlier result, or copies where links are not possible. `check` is called often, and
    may raise. Raises OSError if the disk fails.
    """
    source = result.manifest
    try:
        intact = all(_link(result.path, output, file, check) for file in source.files)
    except FileNotFoundError:  # the result is being deleted, or moved to the trash
        intact = False
    if not intact:
        workspace.empty(output)
        made_by = source.attempt.job
        moved = None if source.attempt.is_bare else results.of_job(made_by.namespace, made_by.uid)
        if moved is not None and moved.path != result.path:
            return take_over(moved, output, assignment, check)
        logger.warning("the result of job %s is no longer complete and is not taken over", made_by.uid)
        return None
    for folder in {(output / file.name).parent for file in source.files}:
        disk.sync(folder)
    sealed_at = datetime.fromtimestamp(int(result.sealed_at), UTC)
    envelope = assignment.envelope
    # A job with reuse Required may name no parameters: the result is what its first author asked for
    written = source.spec_parameters if envelope.orders.reuse == spec.REQUIRED else envelope.parameters
    manifest = replace(
        source,
        attempt=assignment.attempt,
        uri=envelope.output_uri,
        spec_parameters=written,
        input_uri=envelope.input_uri,
        retain_seconds=envelope.orders.retain_seconds,
        findings=replace(source.findings, resumed_from=""),
        reused_from=source.reused_from or ReusedFrom(source.attempt.job_id, source.attempt.number or None, sealed_at),
    )
    manifests.seal(output, manifest)
    return manifest


def _of_same_name(assignment: Assignment) -> Iterator[EarlierResult]:
    job = assignment.job
    if job.namespace and job.name:
        yield from results.find(job)


def _link(source: Path, output: Path, sealed: SealedFile, check: Callable[[], None]) -> bool:
    """Link or copy one file into `output`; return whether it equals the sealed file."""
    name = PurePosixPath(sealed.name)
    if name.is_absolute() or ".." in name.parts:  # the manifest was edited (path traversal)
        return False
    target = output / name
    target.parent.mkdir(parents=True, exist_ok=True)
    check()
    disk.link(source / name, target)
    if target.is_symlink():
        return False
    disk.sync(target)
    with target.open("rb") as file:
        return disk.digest(file, check) == sealed.sha256
