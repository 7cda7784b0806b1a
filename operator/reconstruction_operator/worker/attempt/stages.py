"""Stages of an attempt: where its model keeps them, what they depend on, and whether the next attempt gets them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.contract.fingerprint import InputFile, fingerprint, input_digest, recipe
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import workspace
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Photo, StageFolder
from reconstruction_operator.worker.model.selection import Choice

_CHUNK_BYTES = 1 << 20


class AttemptStages:
    """The stages of one run."""

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._inherited = {path.name for path in workspace.sealed_stages(space)}

    def folder(
        self, choice: Choice, photos: Sequence[Photo], attempt: int | None, check: Callable[[], None]
    ) -> StageFolder | None:
        """Where the model keeps its stages; None if the settings allow none. `check` is called often, and may raise."""
        most = config.settings.STAGES_MAX_BYTES
        if not most:
            return None
        return StageFolder(self._space.stages, _key(choice, photos, check), attempt or 0, most)

    def are_of_use(self, end: End, *, resumed: bool) -> bool:
        """Whether the next attempt should go on from them.

        A model that crashed after it had gone on from a stage, and finished no other, may have crashed because of that stage.
        """
        if end.reason != "BACKEND_CRASHED" or not resumed:
            return True
        return any(path.name not in self._inherited for path in workspace.sealed_stages(self._space))


def _key(choice: Choice, photos: Sequence[Photo], check: Callable[[], None]) -> str:
    """The fingerprint of what the model is to make, with the packages that it computes with."""
    name = choice.model.name
    installed = registry.versions(name)
    packages = [f"{one}=={installed.get(one, '')}" for one in sorted(getattr(choice.model, "packages", ()))]
    made_by = " ".join([registry.version(name), *packages])
    files = [InputFile(one.path.name, one.bytes, _digest(one.path, check)) for one in photos]
    return fingerprint(input_digest("sha256", files), recipe(name, made_by, choice.parameters))


def _digest(path: Path, check: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            check()
            digest.update(chunk)
    return digest.hexdigest()
