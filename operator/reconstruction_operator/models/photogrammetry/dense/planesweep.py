"""Plane sweep: the matching cost of each pixel for each plane of constant depth.

Collins 1996, "A space-sweep approach to true multi-image matching". The measure is normalised cross-correlation over a
small window, which is independent of exposure. Each pixel uses its best two neighbours only, so that an occluded one has
no influence (Kang, Szeliski and Chai 2001, "Handling occlusions in dense multi-view stereo").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Costs, Doubles, Pixels, Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

COST_SCALE = 1000  # cost units for each 1.0 of correlation lost; a correlation of -1 costs 2000
_UNSEEN_COST = 1.1  # 1 - correlation where a neighbour does not see the point: slightly worse than uncorrelated
_WINDOW_PX = 7
_NOISE_VARIANCE = 6e-5  # of grey 0 to 1: two of 255 levels; keeps flat areas from matching noise
_OUTSIDE = -1.0  # marks pixels that fall outside a neighbour's photo


@dataclass(frozen=True, eq=False, slots=True)
class GreyView:
    """A photo at the size of the depth maps."""

    grey: Singles  # (h, w), 0 to 1
    camera: Camera


def grey_view(image: Pixels, camera: Camera, size: int) -> GreyView:
    """`image` (RGB) and its camera at `size` px on the longer side."""
    scale = min(1.0, size / max(camera.width, camera.height))
    width, height = round(camera.width * scale), round(camera.height * scale)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    return GreyView(grey, camera.resized(width, height))


def inverse_depths(near: float, far: float, count: int) -> Doubles:
    """(count,): from `far` to `near`, evenly in 1/depth, so that pixels move evenly in the neighbours' photos."""
    return np.linspace(1.0 / far, 1.0 / near, count)


def plane_homography(reference: Camera, source: Camera, inverse_depth: float) -> Doubles:
    """(3, 3): pixel of `reference` to pixel of `source` for points on the plane z = 1 / inverse_depth before it.

    Hartley and Zisserman, "Multiple view geometry", chapter 13.1.
    """
    rotation = source.rotation @ reference.rotation.T
    translation = source.translation - rotation @ reference.translation
    normal = np.array([0.0, 0.0, 1.0])
    induced = rotation + np.outer(translation, normal) * inverse_depth
    homography: Doubles = source.intrinsics @ induced @ np.linalg.inv(reference.intrinsics)
    return homography


def costs(
    reference: GreyView, sources: Sequence[GreyView], depths: Doubles, swept: Callable[[int], None] = lambda _: None
) -> tuple[Costs, Singles]:
    """The cost of each pixel and plane (h, w, planes), and the grey variance of each pixel's window (h, w).

    `depths` are inverse. At least one source is needed. `swept` is called with the number of planes done, after each.
    """
    window = _window_of(reference.grey)
    height, width = reference.grey.shape
    planes = np.empty((len(depths), height, width), dtype=np.uint16)
    for plane, inverse_depth in enumerate(depths):
        best = second = None
        for cost in _source_costs(reference.camera, window, sources, float(inverse_depth)):
            if best is None or second is None:
                best, second = cost, np.full_like(cost, 2.0) if len(sources) > 1 else cost
                continue
            second = np.minimum(second, np.maximum(best, cost))
            best = np.minimum(best, cost)
        if best is None or second is None:
            raise ValueError("a plane sweep needs at least one source")
        planes[plane] = (best + second) * np.float32(COST_SCALE / 2)
        swept(plane + 1)
    return np.ascontiguousarray(planes.transpose(1, 2, 0)), window.variance


@dataclass(frozen=True, eq=False, slots=True)
class _Window:
    """A photo minus middle grey (single precision is finer near 0), with mean and variance around each pixel."""

    grey: Singles
    mean: Singles
    variance: Singles


def _window_of(grey: Singles) -> _Window:
    centred = grey - np.float32(0.5)
    mean = _box(centred)
    return _Window(centred, mean, np.maximum(_box(centred * centred) - mean * mean, 0))


def _source_costs(
    camera: Camera, window: _Window, sources: Sequence[GreyView], inverse_depth: float
) -> Iterator[Singles]:
    height, width = window.grey.shape
    noise = np.float32(_NOISE_VARIANCE)
    for source in sources:
        warped = cv2.warpPerspective(
            source.grey,
            plane_homography(camera, source.camera, inverse_depth),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=_OUTSIDE,
        )
        other = _window_of(np.asarray(warped, dtype=np.float32))
        covariance = _box(window.grey * other.grey) - window.mean * other.mean
        cost = 1 - covariance / np.sqrt((window.variance + noise) * (other.variance + noise))
        cost[warped < 0] = _UNSEEN_COST
        yield np.clip(cost, 0, 2)


def _box(image: Singles) -> Singles:
    return np.asarray(cv2.blur(image, (_WINDOW_PX, _WINDOW_PX)), dtype=np.float32)
