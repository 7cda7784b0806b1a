"""Kept stages: their names and keys, and where a run resumes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconstruction_operator.models.interface import Work
from reconstruction_operator.models.photogrammetry.input.known import KnownPhotos
from reconstruction_operator.models.photogrammetry.parameters import STAGE_NAMES, QualitySettings
from reconstruction_operator.models.photogrammetry.timing.costs import Learned, Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stages import Stages

PHOTOS, FEATURES, PAIRS, MATCHES, SPARSE = "photos", "features", "pairs", "matches", "sparse-model"
SELECTION, VIEWS, DEPTHS, SAMPLES, SURFACE = "selection", "views", "depth-maps", "surface-points", "surface"

# The name of each kept stage, in order -> the last pipeline stage that it contains, and the settings that it reads in
# addition to those of the stages before it
_KEPT: Mapping[str, tuple[Stage, tuple[str, ...]]] = MappingProxyType(
    {
        PHOTOS: (Stage.PHOTOS, ("max_image_size",)),
        FEATURES: (Stage.FEATURES, ("features",)),
        PAIRS: (Stage.FEATURES, ("seed",)),
        MATCHES: (Stage.MATCHES, ()),
        SPARSE: (Stage.ALIGNMENT, ()),
        SELECTION: (Stage.ALIGNMENT, ("depth_sources",)),
        VIEWS: (Stage.VIEWS, ()),
        DEPTHS: (Stage.DEPTHS, ("depth_size", "depth_planes", "refined_sizes", "diagonal_paths", "patch_match")),
        SAMPLES: (Stage.FUSION, ("crop", "octree_depth")),
        SURFACE: (Stage.REFINEMENT, ("refine",)),
    }
)
NAMES = tuple(_KEPT)
_BETWEEN = {
    PAIRS: "matches",
    SELECTION: "views",
}  # kept, so that a helper need not compute it again, but no stage that a user may name
_FOLLOWS = {name: _BETWEEN.get(name, "") for name in NAMES} | dict(
    zip([name for name in NAMES if name not in _BETWEEN], STAGE_NAMES[1:], strict=True)
)


def stages_of(work: Work, settings: QualitySettings) -> Stages:
    """Return the stages of the run.

    Another job uses one if it has the same photos and the settings that the stage reads.
    """

    def reads(name: str) -> list[object]:
        return [getattr(settings, read) for kept in NAMES[: NAMES.index(name) + 1] for read in _KEPT[kept][1]]

    return Stages.of(work, reads, _FOLLOWS)


def announce(stages: Stages, timetable: Timetable, work: Work) -> None:
    """Report the stage after which the run resumes, if an earlier attempt or another job has finished one; or else, how
    many photos another run has had. A helper reports nothing.

    Raises StageElsewhere if another worker is to continue.
    """
    if work.helps:
        stages.find(PHOTOS)  # before the keys of what is not found yet rest on the sparse model
        if stages.find(SPARSE):
            stages.rest_on(SPARSE)
        return
    finished = []
    for name in NAMES:
        if (kept := stages.find(name)) is not None:
            finished.append(kept)
            if name == SPARSE:
                stages.rest_on(SPARSE)
    if finished:
        timetable.resume(_KEPT[finished[-1].name][0], str(finished[-1]))
        stages.turn(_FOLLOWS[finished[-1].name])
        return
    stages.turn(STAGE_NAMES[0])
    other = stages.related(PHOTOS)
    count = KnownPhotos.read(other.path).count(work.photos) if other else 0
    if other and count:
        timetable.learn(Learned(known=count))
        timetable.tell(f"{other} ({count} of {len(work.photos)} photos)")
