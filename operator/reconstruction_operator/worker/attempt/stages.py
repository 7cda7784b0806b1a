"""Stages of an attempt: where its model keeps them, what they depend on, and whether the next attempt may use them."""

from __future__ import annotations

from reconstruction_operator import config
from reconstruction_operator.contract.fingerprint import recipe
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import workspace
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import StageFolder
from reconstruction_operator.worker.model.selection import Choice


class AttemptStages:
    """The stages of one run."""

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._inherited = {path.name for path in workspace.sealed_stages(space)}

    def folder(self, choice: Choice, input_digest: str, attempt: int | None) -> StageFolder | None:
        """Return the folder of the model's stages; None if the settings allow none."""
        most = config.settings.STAGES_MAX_BYTES
        return StageFolder(self._space.stages, _key(choice, input_digest), attempt or 0, most) if most else None

    def are_useful(self, end: End, *, resumed: bool) -> bool:
        """Return whether the next attempt should use the stages.

        If the model resumed from a stage and crashed before it finished another one, that stage may have caused the crash.
        """
        if end.reason != "BACKEND_CRASHED" or not resumed:
            return True
        return any(path.name not in self._inherited for path in workspace.sealed_stages(self._space))


def _key(choice: Choice, input_digest: str) -> str:
    """Return the digest of the input (empty for a simulation), the model with the packages that it computes with, and the parameters."""
    name = choice.model.name
    installed = registry.versions(name)
    packages = [f"{package}=={installed.get(package, '')}" for package in sorted(getattr(choice.model, "packages", ()))]
    made_by = " ".join([registry.version(name), *packages])
    return recipe(name, made_by, {"input": input_digest, "parameters": dict(choice.parameters)})
