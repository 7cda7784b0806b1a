from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import clouds
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud, Voxels


def test_the_mean_point_of_each_voxel_is_kept() -> None:
    points = np.array([[5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [0.4, 0.0, 0.0]])
    normals = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    thinned = clouds.thinned(Cloud(points, normals), 1.0)
    assert thinned.points == pytest.approx(np.array([[0.2, 0.0, 0.0], [5.0, 5.0, 5.0]]), abs=1e-6)
    assert thinned.normals == pytest.approx(np.array([[0.0, 0.5**0.5, 0.5**0.5], [1.0, 0.0, 0.0]]), abs=1e-6)


def test_a_voxel_with_contradicting_normals_is_dropped() -> None:
    points = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]])
    normals = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    assert len(clouds.thinned(Cloud(points, normals), 1.0).points) == 0


def test_clouds_give_the_same_voxels_in_any_order() -> None:
    random = np.random.default_rng(0)
    parts = [Cloud(random.normal(size=(900, 3)), np.tile([0.6, 0.0, 0.8], (900, 1))) for _ in range(5)]
    forwards = Voxels(0.3)
    backwards = Voxels(0.3)
    for part in parts:
        forwards.add(part)
    for part in reversed(parts):
        backwards.add(part)
    assert np.array_equal(forwards.cloud().points, backwards.cloud().points)
    assert np.array_equal(forwards.cloud().normals, backwards.cloud().normals)


def test_waiting_points_are_joined_before_they_outnumber_the_voxels() -> None:
    voxels = Voxels(1.0, fewest_waiting=100)
    for _ in range(20):
        voxels.add(Cloud(np.random.default_rng(0).uniform(0, 3, (500, 3)), np.tile([0.0, 0.0, 1.0], (500, 1))))
        assert sum(len(keys) for keys, _ in voxels._waiting) < 100
    assert len(voxels.cloud().points) == 27


def test_an_empty_cloud_stays_empty() -> None:
    assert len(clouds.thinned(Cloud(np.zeros((0, 3)), np.zeros((0, 3))), 1.0).points) == 0
