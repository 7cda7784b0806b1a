"""Placeholder model: simulates the six steps and the files of a job, without photos and without a reconstruction.

It does not wait: the worker paces simulated runs, since it performs the first and the last step itself. A report
returns when the earlier steps are finished. The first two steps of the model are kept as stages, as in a real model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import ClassVar

from reconstruction_operator.models.interface import ModelFailure, Report, Result, Step, Work
from reconstruction_operator.models.stages import Stages

_FILES = resources.files(__package__) / "simulated"
_MAX_STEP_SECONDS = 600.0  # six steps: a job without photos occupies a worker for an hour at most
_STAGES = {"preprocessed": Step.RECONSTRUCT, "reconstructed": Step.POSTPROCESS}  # stage -> the step after it
_FIRST = "preprocess"
_FOLLOWS = {"preprocessed": "reconstruct", "reconstructed": "postprocess"}  # stage -> what users call the next one
_KEPT_SECONDS = 0.5  # a faster step is not worth flushing to the disk


class PlaceholderModel:
    """Accepts the parameter `stepSeconds` (0 to 600, default: the worker's setting), and no other."""

    name: ClassVar[str] = "placeholder"
    version: ClassVar[str] = "1"
    isolated: ClassVar[bool] = False
    step_shares: ClassVar[Mapping[Step, float]] = MappingProxyType({step: 1 / len(Step) for step in Step})
    parameters_schema: ClassVar[Mapping[str, object]] = MappingProxyType(
        {
            "type": "object",
            "properties": {
                "stepSeconds": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": _MAX_STEP_SECONDS,
                    "description": "duration of each step in seconds; default: the worker's setting",
                }
            },
            "additionalProperties": False,
        }
    )
    stage_names: ClassVar[tuple[str, ...]] = (_FIRST, *_FOLLOWS.values())
    min_photos: ClassVar[int] = 0
    max_photos: ClassVar[int] = 0

    def __init__(self, *, kept_seconds: float = _KEPT_SECONDS) -> None:
        self._kept_seconds = kept_seconds

    def unavailable(self) -> str | None:
        """Return None: the placeholder runs everywhere."""
        return None

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """Return `stepSeconds`, if given. Raises ModelFailure (INVALID_PARAMETERS)."""
        unknown = sorted(set(parameters) - {"stepSeconds"})
        if unknown:
            raise ModelFailure("INVALID_PARAMETERS", f"unknown parameter {unknown[0]!r:.80}: known are stepSeconds")
        if "stepSeconds" not in parameters:
            return {}
        seconds = parameters["stepSeconds"]
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _MAX_STEP_SECONDS:
            raise ModelFailure(
                "INVALID_PARAMETERS",
                f"parameter stepSeconds is {seconds!r:.80}; allowed are numbers from 0 to {_MAX_STEP_SECONDS:g}",
            )
        return {"stepSeconds": float(seconds)}

    def run(self, work: Work, report: Report) -> Result:
        """Write `model.glb` (a cube), two previews and `SIMULATED.txt`."""
        stages = Stages.of(work, follows=_FOLLOWS)
        done = [stage for name in _STAGES if (stage := stages.find(name)) is not None]
        stages.turn(_FOLLOWS[done[-1].name] if done else _FIRST)
        if done:
            report(_STAGES[done[-1].name], 1.0, f"continues after {done[-1]}", resumed=str(done[-1]))
        else:
            report(Step.PREPROCESS, 1.0)
        names = list(_STAGES)
        for name in names[names.index(done[-1].name) + 1 if done else 0 :]:
            begun = time.monotonic()
            report(_STAGES[name], 1.0)
            if time.monotonic() - begun >= self._kept_seconds:
                stages.made(name, lambda folder: (folder / "SIMULATED.txt").touch())
        report(Step.PREVIEW, 1.0)
        for file in _FILES.iterdir():
            (work.output_dir / file.name).write_bytes(file.read_bytes())
        return Result(quality={"vertices": 24, "faces": 12}, simulated=True)
