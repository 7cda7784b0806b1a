from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense import depthmaps, planesweep
from reconstruction_operator.models.photogrammetry.dense.planesweep import COST_SCALE
from reconstruction_operator.models.photogrammetry.dense.views import GreyView
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

INTRINSICS = np.array([[120.0, 0.0, 39.5], [0.0, 120.0, 29.5], [0.0, 0.0, 1.0]])
WALL_DEPTH = 2.3


def wall(x: Doubles, y: Doubles) -> Singles:
    """A pattern without repetition on a wall at z = WALL_DEPTH."""
    waves = np.sin(37 * x + 3 * y) + np.sin(23 * y - 5 * x + 1) + np.sin(61 * x * y + 11 * y) + np.sin(51 * y + 40 * x)
    return (0.5 + waves / 10).astype(np.float32)


def photo_of_the_wall(x: float, brightness: float = 0.0) -> GreyView:
    """Taken at (x, 0, 0), looking along z."""
    camera = Camera(INTRINSICS, np.eye(3), np.array([-x, 0.0, 0.0]), 80, 60)
    points = camera.centre + camera.rays() * WALL_DEPTH
    return GreyView(wall(points[:, 0], points[:, 1]).reshape(60, 80) + np.float32(brightness), camera)


def test_a_wall_is_found_at_its_depth() -> None:
    inverse = np.linspace(1 / 4.0, 1 / 1.5, 33)
    sources = [photo_of_the_wall(-0.15), photo_of_the_wall(0.15, brightness=0.1)]
    costs = planesweep.costs(photo_of_the_wall(0.0), sources, inverse)
    total = planesweep.aggregate(costs, photo_of_the_wall(0.0).grey, diagonals=True)

    inverses, sure = depthmaps.choose_planes(total, inverse)

    assert sure[8:-8, 16:-16].mean() > 0.95
    assert np.median(np.abs(1 / inverses[8:-8, 16:-16] - WALL_DEPTH)) < 0.02


def test_plane_unseen_by_all_sources_costs_more_than_uncorrelated() -> None:
    far_away = photo_of_the_wall(50.0)
    costs = planesweep.costs(photo_of_the_wall(0.0), [far_away, far_away], np.array([0.5]))
    assert (costs > COST_SCALE).all()


def test_one_occluded_source_has_no_influence() -> None:
    inverse = np.array([1 / WALL_DEPTH])
    occluded = GreyView(np.zeros((60, 80), np.float32), photo_of_the_wall(0.0).camera)
    good = [photo_of_the_wall(-0.1), photo_of_the_wall(0.1)]
    alone = planesweep.costs(photo_of_the_wall(0.0), good, inverse)
    disturbed = planesweep.costs(photo_of_the_wall(0.0), [*good, occluded], inverse)
    assert (disturbed <= alone).all()


@pytest.mark.parametrize(("most", "planes"), [(64, 40), (36, 36)])
def test_a_plane_for_each_pixel_that_the_widest_source_moves(most: int, planes: int) -> None:
    near = photo_of_the_wall(0.1).camera
    far = photo_of_the_wall(0.5).camera
    # Focal length 120 px, 0.5 aside: 60 px at depth 1 and 20 px at depth 3.
    assert planesweep.planes_needed(photo_of_the_wall(0.0).camera, [near, far], 1.0, 3.0, most) == planes


@pytest.mark.parametrize("diagonals", [False, True])
def test_aggregation_corrects_an_isolated_outlier(diagonals: bool) -> None:
    costs = np.full((9, 11, 8), 500, np.uint16)
    costs[:, :, 3] = 100
    costs[4, 5] = 500
    costs[4, 5, 7] = 60  # noise
    total = planesweep.aggregate(costs, np.zeros((9, 11), np.float32), diagonals=diagonals)
    assert (total.argmin(axis=2) == 3).all()


def test_aggregation_keeps_a_depth_step_at_an_edge_of_the_photo() -> None:
    costs = np.full((10, 20, 8), 400, np.uint16)
    costs[:, :10, 1] = 0
    costs[:, 10:, 6] = 0
    grey = np.zeros((10, 20), np.float32)
    grey[:, 10:] = 1.0
    best = planesweep.aggregate(costs, grey, diagonals=True).argmin(axis=2)
    assert (best[:, :10] == 1).all()
    assert (best[:, 10:] == 6).all()
