"""Model interface: what a model gets, what it returns, and how it fails.

Nothing else connects a worker and a model. A model does not use Redis, Celery or Kubernetes. It works in the given
folders, reports its progress, and raises `ModelFailure` with one of the documented reasons.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from reconstruction_operator.contract.assessment import MAX_QUALITY as MAX_QUALITY  # noqa: PLC0414  # the same
from reconstruction_operator.contract.assessment import Assessment
from reconstruction_operator.contract.photos import Photo as Photo  # noqa: PLC0414  # models import both from here
from reconstruction_operator.contract.photos import mask_of as mask_of  # noqa: PLC0414

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
"""Formats of photos, by Pillow's names. A model must pass them to `Image.open`: a file can be a valid picture in two
formats, and the worker has checked only these."""


EARLY_LOOK = "early.glb"
"""File in `Work.scratch_dir` that users see until there is a mesh, such as cameras and sparse points. Give it its name
by a rename.
"""


class Step(enum.IntEnum):
    """The six steps of every job, in order. The worker performs LOAD and FINALIZE, the model the others."""

    LOAD = 1
    PREPROCESS = 2
    RECONSTRUCT = 3
    POSTPROCESS = 4
    PREVIEW = 5
    FINALIZE = 6


@dataclass(frozen=True, slots=True)
class StageFolder:
    """The folder in which a run keeps its finished stages for the next attempt and for later jobs; used through
    `stages.Stages`.
    """

    path: Path  # made when the first stage begins; besides output and scratch the only folder that a model writes to
    key: str  # digest of what all stages depend on: photos, model and version
    attempt: int = 0  # 0: a bare task
    max_bytes: int = sys.maxsize  # of all sealed stages
    job_id: str = ""
    job: str = ""  # its name in its namespace
    family: str = ""  # digest of the model and its version, without the photos; empty: no parts of other runs are used
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # the queue of each stage that other workers run


@dataclass(frozen=True, slots=True)
class PartTurn:
    """What a run is to do next for a stage that several workers make in parts."""

    part: int | None = None  # the part to make now, from 0; None: none
    made: int = 0  # parts of the stage that are made
    over: bool = False  # every part is made; or, for a helper, the run that it helps goes on without it
    stage: str = ""  # of a helper whose stage is over: the one with which it helps next; empty: none


class Parts(Protocol):
    """Other workers that help with stages of the run."""

    def __call__(self, stage: str, count: int, made: int | None, /) -> PartTurn:
        """Return what to do next for that stage, which has `count` parts. `made` is the part that this run has made and
        sealed since its last call; None: none.

        Without a part, ask again after a moment unless the stage is over: others make what is left, and one of them may
        be lost. A helper whose stage is over asks with a `count` of 0 for the next one (`parts.run`).
        """


@dataclass(frozen=True, slots=True)
class Work:
    """The input of one run.

    All paths are absolute. Both folders exist; `output_dir` is empty, and `scratch_dir` is deleted after the run.
    """

    photos: tuple[Photo, ...]
    scratch_dir: Path
    output_dir: Path
    parameters: Mapping[str, object]  # as `check_parameters` returned them
    threads: int
    stages: StageFolder | None = None  # None: stages are not kept after the run
    parts: Parts | None = None  # None: this run makes all stages itself
    # The stage of another run of which this one makes parts, as that run calls it in `parts`. `stages` is then that
    # run's: besides its own scratch folder, a helper writes only those parts. Empty: this is the run itself
    helps: str = ""  # `Model.run` ends as soon as a helper has nothing left to do: see `HelpOver`


@dataclass(frozen=True, slots=True)
class Placement:
    """Position and scale of a mesh on Earth: `metres_per_unit * rotation @ vertex` is in metres east, north and up of
    the origin.
    """

    latitude: float  # degrees, WGS 84; of the origin of the vertices
    longitude: float  # degrees
    altitude: float  # m, as in the photos
    metres_per_unit: float
    rotation: tuple[float, ...]  # 3 x 3, row by row


@dataclass(frozen=True, slots=True)
class Result(Assessment):
    """The result of one run. `quality` has values for the status, such as registered photos and faces."""

    simulated: bool = False
    placement: Placement | None = None  # None: unknown
    # The digest of what each finished stage contains, by its name, in order (`stages.Stages.digests`)
    stages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weights:
    """Learned weights that a model computes with.

    The user brings the file, and the model refuses one with another digest.
    """

    name: str
    sha256: str  # of the file, in hexadecimal
    licence: str  # SPDX identifier or name
    commercial: bool  # whether the licence allows commercial use


class ModelFailure(Exception):  # noqa: N818  # an expected outcome of a job, not an error in the code
    """The run cannot produce a mesh. `reason` is one of `contract.outcomes`; `message` has numbers and advice."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class StageElsewhere(Exception):  # noqa: N818  # no error: the run ends here, and another worker continues it
    """The stage that follows is for the workers of another queue (`StageFolder.elsewhere`)."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


class HelpOver(Exception):  # noqa: N818  # no error: the helper has nothing left to do
    """A helper (`Work.helps`) has made its parts, or comes to something else than the stage that it helps with.

    `Stages` and `parts` raise it; `Model.run` catches it, and returns an empty Result.
    """


class Report(Protocol):
    """Reports progress. Never blocks for long. Raises an exception of the caller's choice when the run must stop."""

    def __call__(
        self,
        step: Step,
        fraction: float,
        message: str = "",
        *,
        resumed: str = "",
        remaining_seconds: float | None = None,
        quality: Mapping[str, int | float | str] | None = None,
    ) -> None:
        """Report that `fraction` of `step` is done, 0.0 to 1.0; `message` is short and for users ("depth map 4/12").

        `resumed` names the stage of an earlier attempt after which the run continues; it is given once, in the run's
        first report. `remaining_seconds` is the model's own estimate of the rest of its run, if it is better than one
        by `step_shares`. `quality` is the part of `Result.quality` that is known already; it counts until the run ends,
        or another replaces it.
        """


@runtime_checkable
class Model(Protocol):
    """A reconstruction model.

    A model may also have `parameters_schema: Mapping[str, object]`, a JSON Schema (an object) of the parameters that
    `check_parameters` accepts. By this schema the operator refuses jobs before they wait for a worker. It supports the
    keywords that `planning.parameters` lists.

    `max_image_side: int`: the longer side in px to which the model reduces larger photos, with any parameters. Frames
    of videos are stored no larger.

    `network: bool = False`: whether an isolated model may open network connections.

    `shared_stages: Collection[str] = ()`: the stages of which a run with some of the same photos uses parts
    (`stages.Stages.related`).

    `stage_names: Sequence[str] = ()`: the stages that may run on workers of another queue each, in order
    (`spec.stageQueues`). Before each of them the model calls `stages.Stages.turn`.

    `makes_parts: bool = False`: whether a run makes stages in parts (`Work.parts`), so that other workers can help.

    Two more optional attributes state what the model's results depend on (`registry.versions`):

    - `version: str`, to be changed when the same photos and parameters would give another result, or other stages.
      Without it, the version of the package that provides the model is used, also if a model of another package is its
      base class. The version of that one is added.
    - `packages: Sequence[str]`, the installed packages that it computes with.

    `weights: Sequence[Weights]`: their digests are part of the version, and a licence that forbids commercial use is a
    warning.
    """

    name: ClassVar[str]
    """The value of `spec.modelType`, and the name of the entry point."""

    isolated: ClassVar[bool]
    """Whether the model runs in a child process, because its native code may crash, hang or use too much memory."""

    step_shares: ClassVar[Mapping[Step, float]]
    """Typical shares of the steps in the time of a run; they sum to 1. Used for the ETA if the model reports no
    `remaining_seconds`.
    """

    min_photos: ClassVar[int]
    max_photos: ClassVar[int]

    def unavailable(self) -> str | None:
        """Return why the model cannot run on this machine (what to install); None if it can.

        Must be fast: imports nothing large.
        """

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """Return the parameters with all defaults filled in.

        Raises ModelFailure (INVALID_PARAMETERS), with the parameter, its value and the allowed values.
        """

    def run(self, work: Work, report: Report) -> Result:
        """Write the mesh to look at (`model.glb`) and at least two `preview_*.png` to `output_dir`.

        Raises ModelFailure with one of the documented reasons.
        """
