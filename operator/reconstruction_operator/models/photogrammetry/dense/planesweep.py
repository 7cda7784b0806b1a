"""Plane sweep: the matching cost of each pixel for each plane of constant depth, and its semi-global aggregation.

Collins 1996, "A space-sweep approach to true multi-image matching". Aggregation (Hirschmueller 2008, "Stereo processing
by semi-global matching and mutual information") smooths depth between neighbouring pixels, except at edges of the
photo: costs are summed along straight paths from all sides. On a path, the cost of a plane at a pixel is its own cost
plus the cheapest transition from the previous pixel: a change by one plane costs little, a jump costs more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Costs, Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense import correlation
from reconstruction_operator.models.photogrammetry.dense.correlation import Window
from reconstruction_operator.models.photogrammetry.dense.views import GreyView
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

_Array = TypeVar("_Array", Costs, Singles)

COST_SCALE = 1000  # units of cost for 1.0 less correlation; a correlation of -1 costs 2000
_FEWEST_PLANES = 32
_SMALL_STEP = 30  # cost of a change by one plane, in units of COST_SCALE
_JUMP = 450  # cost of a larger change where the photo is flat
_JUMP_AT_EDGE = 150  # minimum cost of a jump, at edges
_EDGE_GREY = 0.04  # difference of grey (0 to 1) that halves the cost of a jump


def planes_needed(reference: Camera, sources: Sequence[Camera], near: float, far: float, most: int) -> int:
    """Return the number of planes, up to `most`, at which a pixel moves about 1 px a plane in the source where it moves
    most.
    """
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
    sights = [(source.grey, *reference.camera.transfer(source.camera)) for source in sources]
    for plane, inverse_depth in enumerate(depths):
        cost = correlation.of_best_two(
            # The homography of a plane: Hartley and Zisserman, "Multiple view geometry", chapter 13.1.
            window.cost(_warped(grey, infinite + parallax[:, None] * [0.0, 0.0, inverse_depth], (width, height)))
            for grey, infinite, parallax in sights
        )
        planes[plane] = cost * np.float32(COST_SCALE)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _warped(grey: Singles, homography: Doubles, shape: tuple[int, int]) -> Singles:
    """Return the photo of a source, warped to `shape` (columns, rows) as if everything were on the plane."""
    warped = cv2.warpPerspective(
        grey,
        homography,
        shape,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=correlation.OUTSIDE,
    )
    return np.asarray(warped, dtype=np.float32)


def aggregate(costs: Costs, grey: Singles, *, diagonals: bool) -> Costs:
    """(h, w, planes): the sum over 4 or 8 paths of `costs` (h, w, planes; at most 2,000 each).

    `grey` (h, w) is the photo. The sum is at most 8 * (2000 + 450) < 2^16, so it cannot overflow.
    """
    total = np.zeros_like(costs)
    for shift in (0, -1, 1) if diagonals else (0,):
        for backwards in (False, True):
            _along_columns(costs, grey, total, shift=shift, backwards=backwards)
    sideways = np.ascontiguousarray(costs.transpose(1, 0, 2))
    total_sideways = np.zeros_like(sideways)
    grey_sideways = np.ascontiguousarray(grey.T)
    for backwards in (False, True):
        _along_columns(sideways, grey_sideways, total_sideways, shift=0, backwards=backwards)
    total += total_sideways.transpose(1, 0, 2)
    return total


def _along_columns(costs: Costs, grey: Singles, total: Costs, *, shift: int, backwards: bool) -> None:
    """Add to `total` the paths that move one row down (or up) and `shift` columns sideways at each step."""
    rows = range(len(costs))
    order = reversed(rows) if backwards else rows
    before: Costs | None = None
    before_grey = grey[0]
    for row in order:
        if before is None:
            path = costs[row].copy()
        else:
            came_from = _shifted(before, shift)
            edges = np.abs(grey[row] - _shifted(before_grey, shift)) / np.float32(_EDGE_GREY)
            jump = np.maximum(_JUMP / (1 + edges), _JUMP_AT_EDGE).astype(np.uint16)
            cheapest = came_from.min(axis=1)
            path = np.minimum(came_from, (cheapest + jump)[:, None])
            step = came_from + np.uint16(_SMALL_STEP)
            np.minimum(path[:, 1:], step[:, :-1], out=path[:, 1:])
            np.minimum(path[:, :-1], step[:, 1:], out=path[:, :-1])
            path -= cheapest[:, None]
            path += costs[row]
        total[row] += path
        before, before_grey = path, grey[row]


def _shifted(values: _Array, shift: int) -> _Array:
    """Return `values` moved by `shift` along the first axis; the border is repeated."""
    if shift == 0:
        return values
    moved = np.roll(values, shift, axis=0)
    border = 0 if shift > 0 else -1
    moved[border] = values[border]
    return moved
