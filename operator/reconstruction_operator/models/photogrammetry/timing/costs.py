"""Costs: what each stage is expected to take, from the photos and the settings.

Constants are CPU seconds of one core; `python -m benchmarks.photogrammetry --stages` prints what they were measured to be. They need
not fit a machine: `estimate` learns its pace.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from reconstruction_operator.models.interface import Photo, Step
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings


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

_ONE_THREAD = frozenset({Stage.PHOTOS, Stage.SURFACE, Stage.CLEANING, Stage.COLOURS, Stage.UNWRAPPING, Stage.PREVIEWS})
"""Stages that use one core, however many there are."""


def expected_seconds(photos: Sequence[Photo], settings: QualitySettings, threads: int) -> Mapping[Stage, float]:
    """Seconds of each stage with that many threads."""
    return {
        stage: seconds / (1 if stage in _ONE_THREAD else threads)
        for stage, seconds in _cpu_seconds(photos, settings).items()
    }


def _cpu_seconds(photos: Sequence[Photo], settings: QualitySettings) -> Mapping[Stage, float]:
    count = len(photos)
    source_megapixels = sum(photo.width * photo.height for photo in photos) / 1e6
    megapixels = sum(_reduced(photo, settings.max_image_size) for photo in photos) / 1e6
    depth_megapixels = sum(_reduced(photo, settings.depth_size) for photo in photos) / 1e6
    pairs = min(count * (count - 1) / 2, 10.0 * count)
    cells = 2.0 ** (2 * (settings.octree_depth - 8))  # of the surface, against those of `fast`
    texture_megapixels = settings.texture_size**2 / 1e6
    return {
        Stage.PHOTOS: 0.01 * source_megapixels + 0.02 * megapixels,
        Stage.FEATURES: 0.4 * megapixels,
        Stage.MATCHES: 0.1 * pairs * settings.features / 8192,
        Stage.ALIGNMENT: 0.5 * count,
        Stage.VIEWS: 0.1 * megapixels,
        Stage.DEPTHS: 0.08 * depth_megapixels * settings.depth_planes * settings.depth_sources / 4,
        Stage.FUSION: 1.0 * depth_megapixels,
        Stage.SURFACE: 8.0 * cells,
        Stage.CLEANING: 3.0 * cells,
        Stage.UNWRAPPING: 8.0 * settings.texture_faces / 16_000,
        Stage.TEXTURE: 0.02 * count * texture_megapixels,
        Stage.COLOURS: 0.05 * count * settings.faces / 80_000,
        Stage.PREVIEWS: 3.0,
    }


def _reduced(photo: Photo, size: int) -> float:
    """Pixels of the photo when its longer side has at most `size`."""
    return photo.width * photo.height * min(1.0, size / max(photo.width, photo.height)) ** 2
