"""Plane sweep: the matching cost of each pixel for each plane of constant depth.

Collins 1996, "A space-sweep approach to true multi-image matching".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Costs, Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense import correlation
from reconstruction_operator.models.photogrammetry.dense.correlation import Window
from reconstruction_operator.models.photogrammetry.dense.grey_views import GreyView
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

COST_SCALE = 1000  # units of cost for 1.0 less correlation; a correlation of -1 costs 2000
_FEWEST_PLANES = 32


def planes_needed(reference: Camera, sources: Sequence[Camera], near: float, far: float, most: int) -> int:
    """Return the number of planes, up to `most`, at which a pixel moves about 1 px a plane in the source where it moves most."""
    middle = np.array([[reference.width / 2, reference.height / 2, 1.0]]) @ np.linalg.inv(reference.intrinsics).T
    ends = reference.centre + np.concatenate([middle * near, middle * far]) @ reference.rotation
    moves = []
    for source in sources:
        pixels, depths = source.project(ends)
        if (depths > 0).all():
            moves.append(float(np.linalg.norm(pixels[0] - pixels[1])))
    return int(np.clip(max(moves, default=most), _FEWEST_PLANES, most))


def costs(reference: GreyView, sources: Sequence[GreyView], depths: Doubles) -> Costs:
    """(h, w, planes): the cost of each pixel at each plane. `depths` are inverse. At least one source is needed."""
    window = Window.of(reference.grey)
    height, width = reference.grey.shape
    planes = np.empty((len(depths), height, width), dtype=np.uint16)
    for plane, inverse_depth in enumerate(depths):
        warped = _warped(reference.camera, sources, float(inverse_depth))
        cost = correlation.of_best_two(window.cost(photo) for photo in warped)
        planes[plane] = cost * np.float32(COST_SCALE)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _warped(camera: Camera, sources: Sequence[GreyView], inverse_depth: float) -> Iterator[Singles]:
    """Yield the photo of each source, warped to `camera` as if everything were on the plane."""
    for source in sources:
        # The homography of a plane: Hartley and Zisserman, "Multiple view geometry", chapter 13.1.
        homography, parallax = camera.transfer(source.camera)
        homography[:, 2] += parallax * inverse_depth
        warped = cv2.warpPerspective(
            source.grey,
            homography,
            (camera.width, camera.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=correlation.OUTSIDE,
        )
        yield np.asarray(warped, dtype=np.float32)
