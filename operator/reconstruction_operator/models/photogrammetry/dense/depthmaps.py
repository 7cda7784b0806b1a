"""Depth maps: a depth for each pixel of each view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Costs, Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense import aggregation, planesweep
from reconstruction_operator.models.photogrammetry.dense.planesweep import GreyView
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.progress import StageProgress

_WORST_COST = 0.6 * planesweep.COST_SCALE  # 1 - correlation of the pixel's own window
_FLATTEST_VARIANCE = 2e-5  # of grey levels 0 to 1


def compute(
    views: Sequence[View], greys: Sequence[GreyView], settings: QualitySettings, threads: int, progress: StageProgress
) -> list[Singles]:
    """The depth map (h, w) of each view, 0 where unknown; `greys` are the same views at the depth maps' size."""
    swept = np.zeros(len(views))  # planes of each view

    def one(index: int) -> Singles:
        view = views[index]
        if not view.sources:
            return np.zeros_like(greys[index].grey)

        def count(planes: int) -> None:
            swept[index] = planes

        sources = [greys[source] for source in view.sources]
        inverse = planesweep.inverse_depths(view.near, view.far, settings.depth_planes)
        costs, variance = planesweep.costs(greys[index], sources, inverse, count)
        total = aggregation.aggregate(costs, greys[index].grey, diagonals=settings.diagonal_paths)
        return choose_depths(costs, total, variance, inverse)

    def done(finished: int, of: int) -> None:
        progress(float(swept.mean()) / settings.depth_planes, f"depth map {finished}/{of}")

    return list(parallel.each(one, range(len(views)), threads, done))


def choose_depths(costs: Costs, total: Costs, variance: Singles, inverse: Doubles) -> Singles:
    """(h, w): the depth of the cheapest plane by `total`, refined between planes by a parabola.

    0 where the first or the last plane wins (the surface may lie beyond), where the photos disagree, and where the
    photo is too flat for correlation. `costs`, `total`: (h, w, planes).
    """
    winner = total.argmin(axis=2)
    inside = np.clip(winner, 1, len(inverse) - 2)[:, :, None]
    before, at, after = (
        np.take_along_axis(total, inside + offset, axis=2)[:, :, 0].astype(np.float32) for offset in (-1, 0, 1)
    )
    curvature = np.maximum(before - 2 * at + after, 1)
    offset = np.clip((before - after) / (2 * curvature), -0.5, 0.5)
    spacing = inverse[1] - inverse[0]
    depths = (1.0 / (inverse[inside[:, :, 0]] + offset * spacing)).astype(np.float32)
    own_cost = np.take_along_axis(costs, winner[:, :, None], axis=2)[:, :, 0]
    unknown = (winner == 0) | (winner == len(inverse) - 1) | (own_cost > _WORST_COST) | (variance < _FLATTEST_VARIANCE)
    return np.where(unknown, np.float32(0), depths)
