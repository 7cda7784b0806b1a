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


@dataclass(frozen=True, slots=True)
class Known:
    """What a run has learned of its photos; None: nothing yet."""

    features: float | None = None  # of a photo, mean
    pairs: int | None = None  # to be matched
    aligned: int | None = None  # photos


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
    searched_megapixels = sum(_searched(photo, settings.max_image_size) for photo in photos) / 1e6
    cells = 2.0 ** (2 * (settings.octree_depth - 8))  # of the surface, against those of `fast`
    return {
        Stage.PHOTOS: 0.4 + 0.012 * source_megapixels + 0.022 * megapixels,
        Stage.FEATURES: 0.35 * searched_megapixels,
        Stage.MATCHES: 1e-5 * features * (features / 2000) ** 0.3 * pairs,
        Stage.ALIGNMENT: 0.07 * (features / 1800) ** 2 * count,
        Stage.VIEWS: 0.07 * megapixels * aligned / count,
        Stage.DEPTHS: (0.055 * planes + 1.3 * sum(fine_megapixels)) * settings.depth_sources / 4,
        Stage.FUSION: 0.5 * fine_megapixels[-1],
        Stage.SURFACE: (4.5 + 0.25 * aligned) * cells,
        Stage.CLEANING: (0.7 + 0.03 * aligned) * cells,
        Stage.UNWRAPPING: 2.0 * settings.texture_faces / 16_000,
        Stage.TEXTURE: 2.2 + 0.05 * aligned,
        Stage.COLOURS: (0.5 + 0.02 * aligned) * settings.faces / 80_000,
        Stage.PREVIEWS: 3.5,
    }


def _reduced(photo: Photo, size: int) -> float:
    """Pixels of the photo when its longer side has at most `size`."""
    return photo.width * photo.height * min(1.0, size / max(photo.width, photo.height)) ** 2


def _searched(photo: Photo, size: int) -> float:
    """Pixels in which features are searched: small photos are doubled in size."""
    return _reduced(photo, size) * (4.0 if min(size, max(photo.width, photo.height)) <= SMALL_PHOTO_PX else 1.0)
