"""Model interface: what a model gets, what it returns, and how it fails.

Nothing else connects a worker and a model. A model does not use Redis, Celery or Kubernetes. It works in the folders that it
gets, reports its progress, and raises `ModelFailure` with one of the documented reasons.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
"""Formats of photos, in Pillow's names. A model passes them to `Image.open`: one file can be a valid picture of two formats, and
the worker has checked only these."""


FAILED_FOLDER = "failed"
"""Folder in `Work.output_dir` for what a run that fails leaves for inspection. It is kept as long as the job."""


class Step(enum.IntEnum):
    """The six steps of every job, in order. The worker does LOAD and FINALIZE, the model those between."""

    LOAD = 1
    PREPROCESS = 2
    RECONSTRUCT = 3
    POSTPROCESS = 4
    PREVIEW = 5
    FINALIZE = 6


@dataclass(frozen=True, slots=True)
class Photo:
    """One checked photo: decoded once, in a folder of the run's own."""

    path: Path
    width: int  # px, after EXIF orientation
    height: int  # px, after EXIF orientation
    bytes: int
    # A picture with the upright photo's proportions, black where the photo does not show the object
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class StageFolder:
    """Where a run keeps its finished stages for the next attempt; used through `stages.Stages`."""

    path: Path  # made when the first stage begins; the only place besides output and scratch that a model writes to
    key: str  # the digest of all that the stages depend on: photos, model, version, parameters
    attempt: int = 0  # 0: a bare task
    max_bytes: int = sys.maxsize  # of all sealed stages together


@dataclass(frozen=True, slots=True)
class Work:
    """Input of one run. Both folders exist; `output_dir` is empty, `scratch_dir` is deleted after the run."""

    photos: tuple[Photo, ...]
    scratch_dir: Path
    output_dir: Path
    parameters: Mapping[str, object]  # as `check_parameters` returned them
    threads: int
    stages: StageFolder | None = None  # None: no stage outlives the run


@dataclass(frozen=True, slots=True)
class Placement:
    """Where on Earth a mesh is, and its size: `metres_per_unit * rotation @ vertex` is metres east, north and up of the origin."""

    latitude: float  # degrees, WGS 84; of the vertices' origin
    longitude: float  # degrees
    altitude: float  # m, as the photos have it
    metres_per_unit: float
    rotation: tuple[float, ...]  # 3 x 3, row by row


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one run. `quality` holds at most 16 values for the status, such as registered photos and faces."""

    quality: Mapping[str, int | float | str] = field(default_factory=dict)
    simulated: bool = False
    warning: str = ""  # sentences with numbers about a usable result of reduced quality
    placement: Placement | None = None  # None: not known


class ModelFailure(Exception):  # noqa: N818  # an expected end of a job, not an error of the code
    """The run cannot produce a mesh. `reason` is one of `contract.outcomes`; `message` has numbers and advice."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Report(Protocol):
    """Reports progress. Never blocks for long; raises an exception of the caller's choice when the run has to stop."""

    def __call__(
        self,
        step: Step,
        fraction: float,
        message: str = "",
        *,
        resumed: str = "",
        remaining_seconds: float | None = None,
    ) -> None:
        """`fraction` of `step` is done, 0.0 to 1.0; `message` is short and for users ("depth map 4/12").

        `resumed` is given once, in the first report of a run that continues from an earlier attempt's stage: it names that stage.
        `remaining_seconds` is what the model expects the rest of its run to take, if it knows better than `step_shares`.
        """


@runtime_checkable
class Model(Protocol):
    """A reconstruction model.

    A model may also have `parameters_schema: Mapping[str, object]`, a JSON Schema (an object) of the parameters that
    `check_parameters` takes. The operator refuses jobs by it before they wait for a worker; it knows the keywords that
    `planning.parameters` lists.

    Two more optional attributes name what its results depend on (`registry.versions`):

    - `version: str`, to be changed when the same photos and parameters would give another result, or another content of its
      stages. Without it, the version of the package that provides the model counts.
    - `packages: Sequence[str]`, the installed packages that it computes with.
    """

    name: ClassVar[str]
    """The value of `spec.modelType`, and the name of the entry point."""

    isolated: ClassVar[bool]
    """Whether the model runs in a child process: for native code that may crash, hang or use too much memory."""

    step_shares: ClassVar[Mapping[Step, float]]
    """Typical share of each step in the run's time, for the ETA of a model that reports no `remaining_seconds`; they sum to 1."""

    min_photos: ClassVar[int]
    max_photos: ClassVar[int]

    def unavailable(self) -> str | None:
        """Why the model cannot run on this machine (what to install); None if it can. Cheap: imports nothing big."""

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """The parameters with all defaults filled in.

        Raises ModelFailure (INVALID_PARAMETERS), naming the parameter, what was given and what is allowed.
        """

    def run(self, work: Work, report: Report) -> Result:
        """Write the mesh (`model.glb`, perhaps `model_textured.glb`) and at least two `preview_*.png` to `output_dir`.

        Raises ModelFailure with one of the documented reasons; it may leave files in `output_dir / FAILED_FOLDER`.
        """
