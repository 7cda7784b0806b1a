"""What a model is given, what it must give back, and how it says that it cannot.

This is the whole seam between the task and a model. A model never looks at Redis, Celery or Kubernetes; it works in
the folders that it is given, reports how far it is, and raises `ModelFailure` with one of the documented reasons.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
"""What photos may be, as Pillow calls it. A model names them when it opens one: Pillow would ask its other readers, too, and
one file can be a picture of two kinds, of which the task has checked the first alone."""


class Step(enum.IntEnum):
    """The six steps of every job, in order. The task itself does LOAD and FINALIZE; the model does what is between."""

    LOAD = 1
    PREPROCESS = 2
    RECONSTRUCT = 3
    POSTPROCESS = 4
    PREVIEW = 5
    FINALIZE = 6


@dataclass(frozen=True, slots=True)
class Photo:
    """One checked photo: it was decoded once, and lies in the job's own input folder."""

    path: Path
    width: int  # px, after EXIF orientation
    height: int  # px, after EXIF orientation
    bytes: int


@dataclass(frozen=True, slots=True)
class Work:
    """One run of a model. All folders exist; `output_dir` is empty, `scratch_dir` is deleted afterwards."""

    photos: tuple[Photo, ...]
    scratch_dir: Path
    output_dir: Path
    parameters: Mapping[str, object]  # as `check_parameters` returned them
    threads: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave. `quality` holds a few numbers for the status (at most 16), such as registered photos and faces."""

    quality: Mapping[str, int | float | str] = field(default_factory=dict)
    simulated: bool = False


class ModelFailure(Exception):  # noqa: N818  # a failure of the job, which is an expected end and not an error of the code
    """A run cannot give a mesh. `reason` is one of the reasons in `api.outcomes`; `message` has numbers and advice."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Report(Protocol):
    """Says how far a run is. Never blocks for long; raises (whatever the caller chose) when the run must stop."""

    def __call__(self, step: Step, fraction: float, message: str = "") -> None:
        """`fraction` of `step` is done, 0.0 to 1.0; `message` is short and for people ("depth map 4/12")."""


@runtime_checkable
class Model(Protocol):
    """A reconstruction model."""

    name: ClassVar[str]
    """The value of `spec.modelType`, and the name of the entry point."""

    isolated: ClassVar[bool]
    """True: runs in a child process of its own (native code that may crash, hang or eat memory)."""

    step_shares: ClassVar[Mapping[Step, float]]
    """Typical share of each step in the whole run's time, summing to 1: the ETA rests on it."""

    min_photos: ClassVar[int]
    max_photos: ClassVar[int]

    def unavailable(self) -> str | None:
        """Why the model cannot run on this machine (what to install), or None if it can. Cheap: imports nothing big."""

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """Parameters with all defaults filled in.

        Raises:
            ModelFailure: INVALID_PARAMETERS, naming the parameter, what was given and what is allowed.

        """

    def run(self, work: Work, report: Report) -> Result:
        """Writes the mesh (`model.glb`, perhaps `model_textured.glb`) and at least two `preview_*.png` to `output_dir`.

        Raises:
            ModelFailure: with one of the documented reasons.

        """
