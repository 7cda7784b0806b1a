"""Costs: what each stage is expected to take, from the photos and the settings.

Constants are CPU seconds of one core, fitted to runs with 12 to 66 photos. They need not fit a machine: `estimate` learns its pace.
`python -m benchmarks.photogrammetry` shows how far what was left of a run differed from what was expected.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reconstruction_operator.models.interface import Photo, Step
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.sparse.features import SMALL_PHOTO_PX


class Stage(enum.IntEnum):
    """The stages of a run that report progress, in their order."""

    PHOTOS = enum.auto()
    FEATURES = enum.auto()
    MATCHES = enum.auto()
    ALIGNMENT = enum.auto()
    VIEWS = enum.auto()
    DEPTHS = enum.auto()
    FUSION = enum.auto()
    SURFACE = enum.auto()
    CLEANING = enum.auto()
    UNWRAPPING = enum.auto()
    TEXTURE = enum.auto()
    COLOURS = enum.auto()
    PREVIEWS = enum.auto()


STEPS: Mapping[Stage, Step] = MappingProxyType(
    {
        stage: Step.PREPROCESS
        if stage <= Stage.FEATURES
        else Step.RECONSTRUCT
        if stage <= Stage.SURFACE
        else Step.POSTPROCESS
        if stage <= Stage.COLOURS
        else Step.PREVIEW
        for stage in Stage
    }
)
"""The step to which each stage belongs."""

_USUAL_FEATURES_SHARE = 0.6  # of those that are kept at most
_ONE_THREAD = frozenset({Stage.PHOTOS, Stage.SURFACE, Stage.CLEANING, Stage.COLOURS, Stage.UNWRAPPING, Stage.PREVIEWS})
"""Stages that use one core, however many there are."""

VARYING = frozenset({Stage.FEATURES, Stage.ALIGNMENT})
"""Stages whose cost depends on what the photos show: they say nothing about the pace of the machine."""

_OF_A_POINT: Mapping[bool | None, tuple[float, float]] = {
    False: (4.2e-5, 0.4e-5),
    None: (7e-5, 1.2e-5),
    True: (8.5e-5, 1.9e-5),
}
"""Seconds of the surface and of its cleaning, for a point; the deep octree of a wide region has more cells."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a run has learned of its photos; None: nothing yet."""

    features: float | None = None  # of a photo, mean
    pairs: int | None = None  # to be matched
    aligned: int | None = None  # photos
    wide: bool | None = None  # whether the ground goes on around what the photos are about
    points: int | None = None  # through which the surface is laid


def expected_seconds(
    photos: Sequence[Photo], settings: QualitySettings, threads: int, known: Known | None = None
) -> Mapping[Stage, float]:
    """Seconds of each stage with that many threads."""
    return {
        stage: seconds / (1 if stage in _ONE_THREAD else threads)
        for stage, seconds in _cpu_seconds(photos, settings, known or Known()).items()
    }


def _cpu_seconds(photos: Sequence[Photo], settings: QualitySettings, known: Known) -> Mapping[Stage, float]:
    count = len(photos)
    features = _USUAL_FEATURES_SHARE * settings.features if known.features is None else known.features
    pairs = min(count * (count - 1) / 2, 10.0 * count) if known.pairs is None else known.pairs
    aligned = count if known.aligned is None else known.aligned
    source_megapixels = sum(photo.width * photo.height for photo in photos) / 1e6
    megapixels = sum(_reduced(photo, settings.max_image_size) for photo in photos) / 1e6
    coarse_megapixels = sum(_reduced(photo, settings.depth_size) for photo in photos) / 1e6 * aligned / count
    fine_megapixels = [
        sum(_reduced(photo, size) for photo in photos) / 1e6 * aligned / count for size in settings.refined_sizes
    ]
    planes = settings.depth_planes * coarse_megapixels
    searched_megapixels = sum(_searched(photo, settings) for photo in photos) / 1e6
    cells = 2.0 ** (2 * (settings.octree_depth - 8))  # of the surface, against those of `fast`
    points = (240_000 + 2_000 * aligned) * cells if known.points is None else known.points
    surface, cleaning = _OF_A_POINT[known.wide]
    return {
        Stage.PHOTOS: 0.4 + 0.012 * source_megapixels + 0.022 * megapixels,
        Stage.FEATURES: 0.5 * searched_megapixels,
        Stage.MATCHES: 1.85e-5 * features * pairs,
        Stage.ALIGNMENT: 4e-5 * features * count,
        Stage.VIEWS: 0.11 * megapixels * aligned / count,
        Stage.DEPTHS: (0.055 * planes + 1.3 * sum(fine_megapixels)) * settings.depth_sources / 4,
        Stage.FUSION: 1.0 * fine_megapixels[-1],
        Stage.SURFACE: 0.5 + surface * points,
        Stage.CLEANING: 0.2 + cleaning * points,
        Stage.UNWRAPPING: 4.0 * settings.texture_faces / 16_000,
        Stage.TEXTURE: 0.4 + 0.6 * settings.texture_size**2 / 1e6 + 0.075 * megapixels * aligned / count,
        Stage.COLOURS: (0.5 + 0.02 * aligned) * settings.faces / 80_000,
        Stage.PREVIEWS: 1.6 + 0.145 * settings.turn_frames,
    }


def _reduced(photo: Photo, size: int) -> float:
    """Pixels of the photo when its longer side has at most `size`."""
    return photo.width * photo.height * min(1.0, size / max(photo.width, photo.height)) ** 2


def _searched(photo: Photo, settings: QualitySettings) -> float:
    """Pixels in which features are searched."""
    size = min(settings.max_image_size, max(photo.width, photo.height))
    return _reduced(photo, size) * (4.0 if settings.enlarge and size <= SMALL_PHOTO_PX else 1.0)
