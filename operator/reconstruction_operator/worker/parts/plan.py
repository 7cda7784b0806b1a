"""Plan: the file by which a run tells its helpers what it works on.

The run's worker writes it beside the stages, on the job volume that all of them share.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from reconstruction_operator import disk
from reconstruction_operator.models.exchange import RunRequest

_MAX_BYTES = 1 << 26  # of a plan for some thousand photos, with much room


@dataclass(frozen=True, slots=True)
class HelpPlan:
    """What a run works on."""

    request: RunRequest
    made_by: str  # what computes the run's stages (`worker.model.selection.made_by`)

    def write(self, path: Path) -> None:
        """Write the file, and the folder that contains it. Raises OSError, also if the run's files were moved away."""
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".tmp")
        part.write_text(json.dumps({"madeBy": self.made_by, "request": self.request.to_json()}))
        part.rename(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the plan in that file. Raises OSError, or ValueError if it is not a plan of this version."""
        content = json.loads(disk.read_regular(path, _MAX_BYTES))
        try:
            return cls(RunRequest.from_json(content["request"]), content["madeBy"])
        except (TypeError, KeyError) as error:
            raise ValueError(f"no plan of this version: {error}") from error
