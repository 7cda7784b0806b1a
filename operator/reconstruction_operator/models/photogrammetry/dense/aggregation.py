"""Semi-global aggregation: smooths depth between neighbouring pixels, except at edges of the photo.

Hirschmueller 2008, "Stereo processing by semi-global matching and mutual information". Costs are summed along straight paths from all
sides. On a path, the cost of a plane at a pixel is its own cost plus the cheapest transition from the previous pixel: a change by one
plane costs little, a jump costs more.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Costs, Singles

_Array = TypeVar("_Array", Costs, Singles)

_SMALL_STEP = 30  # cost of a change by one plane, in units of planesweep.COST_SCALE
_JUMP = 450  # cost of a larger change where the photo is flat
_JUMP_AT_EDGE = 150  # minimum cost of a jump, at edges
_EDGE_GREY = 0.04  # difference of grey (0 to 1) that halves the cost of a jump


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
