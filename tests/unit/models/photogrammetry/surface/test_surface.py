"""Surface reconstruction: cropping and thinning of the points, and files of points."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.surface import surface
from reconstruction_operator.models.photogrammetry.surface.regions import Ball, Region

from tests.support.engine.geometry import sphere


def points_of_a_sphere(subdivisions: int = 4) -> Cloud:
    vertices = sphere(subdivisions).vertices
    return Cloud(vertices, vertices.copy())


def test_too_few_points_are_refused() -> None:
    few = Cloud(np.zeros((1999, 3)), np.zeros((1999, 3)))

    with pytest.raises(ModelFailure, match=r"only 1999 points .* at least 2000 are needed") as caught:
        surface.crop(few, Region.everywhere())
    assert caught.value.reason == "NO_DENSE_SURFACE"


def test_points_in_the_ball_and_just_outside_stay() -> None:
    cloud = points_of_a_sphere()
    cropped = surface.crop(cloud, Region.of_ball(Ball(np.array([1.0, 0.0, 0.0]), 1.0)))

    far = np.linalg.norm(cropped.points - [1.0, 0.0, 0.0], axis=1)
    assert 0 < len(cropped.points) < len(cloud.points)
    assert 1.0 < far.max() <= 1.1
    assert np.array_equal(cropped.points, cropped.normals)  # each with its own normal


def test_without_limits_only_the_far_background_is_removed() -> None:
    near = points_of_a_sphere()
    far = np.full((50, 3), 40.0)
    cropped = surface.crop(Cloud(np.vstack([near.points, far]), np.vstack([near.normals, far])), Region.everywhere())

    assert len(cropped.points) == len(near.points)
    assert np.abs(cropped.points).max() <= 1.0


def region(across: float, pixel: float) -> Region:
    """A region with a core of radius 1, where a pixel of the nearest of three cameras is that wide."""
    near, *far = (
        Camera(pinhole(10.0 / pixel, 0.0, 0.0), np.eye(3), np.array([0.0, 0.0, distance]), 640, 480)
        for distance in (10.0, 30.0, 40.0)
    )
    return Region(Ball(np.zeros(3), across), Ball(np.zeros(3), 1.0), (*far, near), 0, about_core=True)


@pytest.mark.parametrize(
    ("across", "coarse", "depth"),
    [
        pytest.param(1.2, 1.0, 6, id="narrow"),
        pytest.param(2.0, 2.0, 6, id="wide"),
        pytest.param(3.5, 4.0, 7, id="very-wide"),
    ],
)
def test_surroundings_do_not_reduce_the_detail_of_the_core(across: float, coarse: float, depth: int) -> None:
    sheet = np.random.default_rng(0).uniform(-across, across, (400_000, 3)) * [1.0, 0.0, 1.0]
    cloud = Cloud(sheet, np.tile([0.0, 1.0, 0.0], (len(sheet), 1)))
    wide = region(across, pixel=0.02)
    thin, cell, deepest = surface.thin(cloud, wide, octree_depth=6)
    assert deepest == depth
    inside = wide.core.contains(thin.points)
    assert inside.sum() == pytest.approx(np.pi / cell**2, rel=0.1)
    outermost = np.abs(thin.points).max(axis=1) > 0.8 * across
    assert outermost.sum() == pytest.approx((1 - 0.8**2) * (2 * across / (coarse * cell)) ** 2, rel=0.15)


@pytest.mark.parametrize(("across", "pixel", "depth"), [(1.2, 0.03, 6), (1.2, 0.04, 5), (3.5, 0.03, 7), (3.5, 0.05, 6)])
def test_cells_are_not_finer_than_the_pixels_of_depth_maps(across: float, pixel: float, depth: int) -> None:
    coarse = region(across, pixel)
    side = surface.cell_size(np.zeros((1, 3)), coarse, octree_depth=7)
    _, cell, deepest = surface.thin(points_of_a_sphere(), coarse, octree_depth=7)
    assert (cell, side) == pytest.approx((1.2 * pixel, 0.7 * 1.2 * pixel))
    assert deepest == depth
