"""Stages of an attempt: where its model keeps them, what they depend on, and whether the next attempt or another job may use them."""

from __future__ import annotations

import hashlib
import logging

from reconstruction_operator import config
from reconstruction_operator.contract.fingerprint import recipe
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import kept_stages, layout, workspace
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import StageFolder
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.model.selection import Choice

logger = logging.getLogger(__name__)


class AttemptStages:
    """The stages of one run."""

    def __init__(self, space: Workspace, assignment: Assignment) -> None:
        self._space = space
        self._assignment = assignment
        self._inherited = self._names()
        self._digest = ""  # by which other jobs find them; empty: not kept for others

    def folder(self, choice: Choice, input_digest: str) -> StageFolder | None:
        """Return the folder of the model's stages, with those of other jobs; None if the settings allow none."""
        most, assignment = config.settings.STAGES_MAX_BYTES, self._assignment
        if not most:
            return None
        envelope = assignment.envelope
        digest = key(choice, input_digest)
        if config.settings.KEEP_STAGES_SECONDS and input_digest and not assignment.is_bare:
            self._digest = of_namespace(digest, envelope.install_id, envelope.namespace, envelope.namespace_uid)
            if self._digest and assignment.attempt == 1:  # a later attempt has them, unless one may have caused a crash
                kept_stages.link(layout.kept_stages(), self._digest, self._space.stages)
                self._inherited = self._names()
        return StageFolder(self._space.stages, digest, assignment.attempt or 0, most, assignment.job_id, envelope.name)

    def are_useful(self, end: End) -> bool:
        """Return whether the next attempt should use the stages.

        If the run began with stages and crashed before it finished another one, one of them may have caused the crash.
        """
        return end.reason != "BACKEND_CRASHED" or not self._inherited or not self._names() <= self._inherited

    def keep(self) -> None:
        """Keep the stages of a published result for other jobs. Failures are only logged."""
        job_id, folder = self._assignment.job_id, layout.kept_stages()
        if not self._digest or not self._names():
            return
        try:
            tenant = layout.tenant(self._assignment.envelope.namespace)
            kept_stages.keep(folder, self._space.stages, self._digest, job_id, tenant=tenant)
        except (OSError, RecursionError) as error:
            logger.warning("the stages of job %s are not kept: %s", job_id, error)
        if not JobFolder.of(job_id).output.exists():  # the job is being deleted
            kept_stages.forget(folder, job_id)

    def _names(self) -> set[str]:
        return {path.name for path in workspace.sealed_stages(self._space)}


def key(choice: Choice, input_digest: str) -> str:
    """Return the digest of the input (empty for a simulation), and of the model with the packages that it computes with."""
    name = choice.model.name
    installed = registry.versions(name)
    packages = [f"{package}=={installed.get(package, '')}" for package in sorted(getattr(choice.model, "packages", ()))]
    made_by = " ".join([registry.version(name), *packages])
    return recipe(name, made_by, {"input": input_digest})


def of_namespace(stages_key: str, install_id: str, namespace: str, namespace_uid: str) -> str:
    """Return the digest by which the jobs of one namespace, and no others, find kept stages with that key.

    It is empty if the namespace is not known by what NAMESPACE_IDENTITY names.
    """
    identity = namespace if config.settings.NAMESPACE_IDENTITY == "name" else namespace_uid
    text = f"{install_id}/{namespace}/{identity}/{stages_key}"
    return hashlib.sha256(text.encode()).hexdigest() if identity else ""
