from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense import fusion
from reconstruction_operator.models.photogrammetry.dense.fusion import Cloud
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

INTRINSICS = np.array([[100.0, 0.0, 39.5], [0.0, 100.0, 29.5], [0.0, 0.0, 1.0]])


def camera(x: float = 0.0) -> Camera:
    return Camera(INTRINSICS, np.eye(3), np.array([-x, 0.0, 0.0]), 80, 60)


def wall(depth: float) -> Singles:
    return np.full((60, 80), depth, np.float32)


def test_depths_that_two_others_confirm_are_kept_and_averaged() -> None:
    others = [(camera(0.1), wall(2.006)), (camera(-0.1), wall(2.003))]
    kept = fusion.consistent_depths(camera(), wall(2.0), others, witnesses=2)
    assert kept[20:40, 20:60] == pytest.approx(2.003)


def test_depths_with_one_witness_are_dropped_if_two_are_required() -> None:
    others = [(camera(0.1), wall(2.0)), (camera(-0.1), wall(3.0))]
    assert not fusion.consistent_depths(camera(), wall(2.0), others, witnesses=2).any()
    assert fusion.consistent_depths(camera(), wall(2.0), others, witnesses=1)[20:40, 20:60].all()


def test_depths_that_no_other_view_sees_are_dropped() -> None:
    kept = fusion.consistent_depths(camera(), wall(2.0), [(camera(0.8), wall(2.0))], witnesses=1)
    assert not kept[:, :38].any()
    assert kept[:, 42:].all()


def test_unknown_depths_confirm_nothing() -> None:
    assert not fusion.consistent_depths(camera(), wall(2.0), [(camera(0.1), wall(0.0))], witnesses=1).any()


def test_points_of_a_wall_have_normals_towards_the_camera() -> None:
    cloud = fusion.points_with_normals(camera(0.5), wall(2.0))
    assert len(cloud.points) > 3000
    assert cloud.points[:, 2] == pytest.approx(2.0)
    assert cloud.normals == pytest.approx(np.tile([0.0, 0.0, -1.0], (len(cloud.points), 1)))


def test_no_normal_spans_a_depth_edge() -> None:
    step = wall(2.0)
    step[:, 40:] = 3.0
    cloud = fusion.points_with_normals(camera(), step)
    assert np.abs(cloud.normals[:, 2]) == pytest.approx(1.0)


def test_mutual_adds_the_views_that_chose_a_view() -> None:
    assert fusion.mutual([(1,), (), (1,)]) == [[1], [0, 2], [1]]


def test_voxel_downsample_keeps_the_mean_point_of_each_voxel() -> None:
    points = np.array([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [5.0, 5.0, 5.0]])
    normals = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    thinned = fusion.voxel_downsample(Cloud(points, normals), 1.0)
    assert thinned.points == pytest.approx(np.array([[0.2, 0.0, 0.0], [5.0, 5.0, 5.0]]))
    assert thinned.normals == pytest.approx(np.array([[0.0, 0.5**0.5, 0.5**0.5], [1.0, 0.0, 0.0]]))


def test_voxel_with_contradicting_normals_is_dropped() -> None:
    points = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]])
    normals = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    assert len(fusion.voxel_downsample(Cloud(points, normals), 1.0).points) == 0
