"""Expected costs: the expected duration of each stage, from the photos and the settings.

Constants are CPU seconds of one core, fitted to recordings of 12 to 66 photos in `fast`, and of 24 in `high`. They need
not match the machine, since `estimate` learns its pace. Depth maps by PatchMatch on a GPU have no constant of their
own: the time left is corrected while they are computed.
`python -m benchmarks.recording` records a run, and the tests replay it. `python -m benchmarks.photogrammetry` shows the
errors of the estimated time left.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from reconstruction_operator.models.interface import Photo, Step
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings


class Stage(enum.IntEnum):
    """The stages of a run that report progress, in order."""

    PHOTOS = enum.auto()
    FEATURES = enum.auto()
    MATCHES = enum.auto()
    ALIGNMENT = enum.auto()
    VIEWS = enum.auto()
    DEPTHS = enum.auto()
    FUSION = enum.auto()
    SURFACE = enum.auto()
    CLEANING = enum.auto()
    REFINEMENT = enum.auto()
    TEXTURE = enum.auto()
    COLOURS = enum.auto()
    PREVIEWS = enum.auto()


_LAST_OF_STEP = {
    Step.PREPROCESS: Stage.FEATURES,
    Step.RECONSTRUCT: Stage.SURFACE,
    Step.POSTPROCESS: Stage.COLOURS,
    Step.PREVIEW: Stage.PREVIEWS,
}

STEPS: Mapping[Stage, Step] = {
    stage: next(step for step, last in _LAST_OF_STEP.items() if stage <= last) for stage in Stage
}
"""Stage -> the step that it belongs to."""

_USUAL_FEATURES_SHARE = 0.9  # of the maximum number of features
_ONE_THREAD = frozenset({Stage.ALIGNMENT, Stage.SURFACE, Stage.CLEANING, Stage.COLOURS, Stage.PREVIEWS})
"""Stages that use only one core."""

VARYING = frozenset({Stage.ALIGNMENT})
"""Stages whose cost also depends on unknown values, such as the number of rounds. The pace is not learned from them."""

# Memory, fitted to the peaks of docs/performance.md with two threads, which it meets within a factor of two
_BASE_BYTES = 450_000_000
_BYTES_A_PREPARED_PIXEL = 140  # of the features of one photo in each thread
_BYTES_A_TEXEL = 26
_BYTES_A_PHOTO = 1_200_000
# Disk, fitted to a run of 12 photos; a photo with much noise takes more
_BYTES_A_STORED_PIXEL = 0.9  # of a prepared photo and its view, as JPEG
_BYTES_A_FEATURE = 450  # in three copies of the database
_BYTES_A_DEPTH = 5
_BYTES_A_POINT = 160  # in the kept stages and in the result

_USUAL_INLIERS = 300  # verified matches of a pair
_USUAL_DOUBLINGS = 1
_COST_OF_DOUBLING = 1.8  # factor for the surface through the same points, if the octree is one level deeper
_ALL_PAIRS_PHOTOS = 20  # up to this number of photos, all pairs are matched


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run has learned about its photos; None: not yet known."""

    features: float | None = None  # mean number of a photo
    known: int | None = None  # number of photos whose features another run has found
    aligned: int | None = None  # number of aligned photos
    doublings: int | None = None  # of the core, until it is as wide as the region (`regions`)
    points: int | None = None  # to which the surface is fitted

    def with_more(self, more: Learned) -> Learned:
        """Return these values, updated by the known ones of `more`."""
        return replace(self, **{name: value for name, value in asdict(more).items() if value is not None})


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run is expected to take, of one core of the machine where the constants were measured."""

    cpu_seconds: float
    memory_bytes: float  # peak
    disk_bytes: float  # while it runs, with its kept stages and the result


def cost(photos: Sequence[Photo], settings: QualitySettings, threads: int = 2) -> Cost:
    """Return the expected cost of a run on these photos, of which there is at least one."""
    prepared = [1e6 * _reduced_megapixels([photo], settings.max_image_size) for photo in photos]
    memory = _BASE_BYTES + threads * _BYTES_A_PREPARED_PIXEL * max(prepared) + _BYTES_A_PHOTO * len(photos)
    fine = 1e6 * _reduced_megapixels(photos, settings.refined_sizes[-1])
    points = _usual_points(len(photos), fine / 1e6, settings)
    disk = sum(photo.bytes for photo in photos) + _BYTES_A_STORED_PIXEL * sum(prepared) + settings.texture_size**2
    disk += _BYTES_A_FEATURE * settings.features * len(photos) + _BYTES_A_DEPTH * fine + _BYTES_A_POINT * points
    return Cost(
        cpu_seconds=sum(_cpu_seconds(photos, settings, Learned()).values()),
        memory_bytes=memory + _BYTES_A_TEXEL * settings.texture_size**2,
        disk_bytes=disk,
    )


def expected_seconds(
    photos: Sequence[Photo], settings: QualitySettings, threads: int, facts: Learned | None = None
) -> Mapping[Stage, float]:
    """Return the expected seconds of each stage with `threads` threads."""
    return {
        stage: seconds / (1 if stage in _ONE_THREAD else threads)
        for stage, seconds in _cpu_seconds(photos, settings, facts or Learned()).items()
    }


def _cpu_seconds(photos: Sequence[Photo], settings: QualitySettings, facts: Learned) -> Mapping[Stage, float]:
    count = len(photos)
    features = _USUAL_FEATURES_SHARE * settings.features if facts.features is None else facts.features
    pairs = count * (count - 1) / 2 if count <= _ALL_PAIRS_PHOTOS else 6.0 * count  # that are usually matched
    new = 1.0 - (facts.known or 0) / count  # share of the photos
    aligned = count if facts.aligned is None else facts.aligned
    source_megapixels = sum(photo.width * photo.height for photo in photos) / 1e6
    megapixels = _reduced_megapixels(photos, settings.max_image_size)
    seen_megapixels = megapixels * aligned / count
    coarse_megapixels = _reduced_megapixels(photos, settings.depth_size) * aligned / count
    fine_megapixels = [_reduced_megapixels(photos, size) * aligned / count for size in settings.refined_sizes]
    planes = settings.depth_planes * coarse_megapixels
    points = _usual_points(aligned, fine_megapixels[-1], settings) if facts.points is None else facts.points
    deeper = max((_USUAL_DOUBLINGS if facts.doublings is None else facts.doublings) - 1, 0)
    faces = (0.7 + 1.1 * deeper) * points
    return {
        Stage.PHOTOS: 0.8 + new * (0.013 * source_megapixels + 0.055 * megapixels),
        Stage.FEATURES: new * (0.2 * megapixels + 4e-5 * features * count),
        # Of a new photo, pairs with known ones are matched too
        Stage.MATCHES: min(1.0, 2 * new)
        * (1e-5 * features * pairs * (1 + features / 10_000) + 2e-5 * features * count),
        Stage.ALIGNMENT: 1.3e-4 * _USUAL_INLIERS * pairs + 0.09 * count,
        Stage.VIEWS: 0.15 * seen_megapixels,
        Stage.DEPTHS: (0.072 * planes + 0.86 * sum(fine_megapixels)) * settings.depth_sources / 4,
        Stage.FUSION: 1.8 * fine_megapixels[-1],
        Stage.SURFACE: 3.0 + 0.2 * fine_megapixels[-1] + 1.95e-5 * _COST_OF_DOUBLING**deeper * points,
        Stage.CLEANING: 0.1 + 4e-6 * faces + 6e-6 * points,
        Stage.REFINEMENT: (0.055 * seen_megapixels + 4.6e-5 * faces) * settings.refine,
        Stage.TEXTURE: 0.1
        + 0.5 * settings.texture_size**2 / 1e6
        + 0.12 * seen_megapixels
        + (1.8e-5 + 7.5e-7 * aligned) * settings.texture_faces,
        Stage.COLOURS: 0.01 * aligned * settings.faces / 80_000 + 0.02 * seen_megapixels,
        Stage.PREVIEWS: 0.4 + 0.065 * settings.turn_frames + 4.5e-6 * points,
    }


def _usual_points(aligned: int, fine_megapixels: float, settings: QualitySettings) -> float:
    """Return the usual number of points to which the surface is fitted, from the pixels of the finest depth maps."""
    cells = 2.0 ** (2 * (settings.octree_depth - 8))  # of the surface, relative to `fast`
    return min((240_000 + 2_000 * aligned) * cells, 1.6e6 * fine_megapixels / max(aligned, 1))


def _reduced_megapixels(photos: Sequence[Photo], size: int) -> float:
    """Return the megapixels of the photos, each reduced to at most `size` px on its longer side."""
    return (
        sum(photo.width * photo.height * min(1.0, size / max(photo.width, photo.height)) ** 2 for photo in photos) / 1e6
    )
