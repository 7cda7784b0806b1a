from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry import dividing
from reconstruction_operator.models.photogrammetry.dense import fusion
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

from tests.support.engine.geometry import QUIET

INTRINSICS = np.array([[100.0, 0.0, 39.5], [0.0, 100.0, 29.5], [0.0, 0.0, 1.0]])


def camera(x: float = 0.0) -> Camera:
    return Camera(INTRINSICS, np.eye(3), np.array([-x, 0.0, 0.0]), 80, 60)


def wall(depth: float, *, sure: bool = False) -> DepthMap:
    return DepthMap(np.full((60, 80), depth, np.float32), np.full((60, 80), sure))


RIGHT = camera(0.1)
LEFT = camera(-0.1)
FAR_LEFT = camera(-0.2)


def ahead(distance: float) -> Camera:
    return Camera(INTRINSICS, np.eye(3), np.array([0.0, 0.0, -distance]), 80, 60)


@pytest.mark.parametrize(
    ("own", "others", "witnesses", "expected"),
    [
        pytest.param(wall(2.0), [(RIGHT, wall(2.006)), (LEFT, wall(2.003))], 2, 2.003, id="mean-of-agreeing-depths"),
        pytest.param(wall(2.0), [(RIGHT, wall(2.0)), (LEFT, wall(0.0))], 2, 0.0, id="one-witness-of-two"),
        pytest.param(wall(2.0), [(RIGHT, wall(2.0)), (LEFT, wall(0.0))], 1, 2.0, id="one-witness-is-enough"),
        pytest.param(wall(2.0, sure=True), [(RIGHT, wall(2.0))], 2, 2.0, id="one-witness-of-a-sure-depth"),
        pytest.param(wall(2.0), [(RIGHT, wall(2.0)), (LEFT, wall(3.0))], 1, 2.0, id="as-many-see-through"),
        pytest.param(
            wall(2.0, sure=True), [(RIGHT, wall(2.0)), *[(LEFT, wall(3.0))] * 2], 1, 0.0, id="more-see-through"
        ),
        pytest.param(
            wall(2.0), [(RIGHT, wall(2.0)), (LEFT, wall(1.5)), (FAR_LEFT, wall(1.5))], 1, 2.0, id="hidden-from-others"
        ),
        pytest.param(wall(2.0), [(RIGHT, wall(0.0))], 1, 0.0, id="unknown-depths"),
        pytest.param(wall(2.0), [(ahead(2.0), wall(2.0))], 1, 0.0, id="a-camera-in-the-points"),
        pytest.param(wall(2.0), [(ahead(4.0), wall(2.0))], 1, 0.0, id="a-camera-beyond-the-points"),
    ],
)
def test_a_depth_is_kept_if_enough_views_confirm_it(
    own: DepthMap, others: list[tuple[Camera, DepthMap]], witnesses: int, expected: float
) -> None:
    depths = fusion.consistent_depths(camera(), own, others, witnesses=witnesses)
    assert depths[20:40, 20:60] == pytest.approx(expected)


def test_depths_that_no_other_view_sees_are_dropped() -> None:
    depths = fusion.consistent_depths(camera(), wall(2.0), [(camera(0.8), wall(2.0))], witnesses=1)
    assert not depths[:, :38].any()
    assert depths[:, 42:].all()


def test_points_of_a_wall_have_normals_towards_the_camera() -> None:
    cloud = fusion.points_with_normals(camera(0.5), wall(2.0).depths)
    assert len(cloud.points) > 3000
    assert cloud.points[:, 2] == pytest.approx(2.0)
    assert cloud.normals == pytest.approx(np.tile([0.0, 0.0, -1.0], (len(cloud.points), 1)))


@pytest.mark.parametrize("behind", [3.0, 2.7])
def test_no_normal_spans_a_depth_edge(behind: float) -> None:
    step = wall(2.0).depths
    step[:, 40:] = behind
    cloud = fusion.points_with_normals(camera(), step)
    assert np.abs(cloud.normals[:, 2]) == pytest.approx(1.0)


def test_the_walls_of_all_views_become_one_with_a_point_in_each_cell() -> None:
    cameras = [camera(x) for x in (-0.1, 0.0, 0.1)]
    cloud = fusion.fuse(cameras, lambda _: wall(2.01), [(1, 2), (0, 2), (0, 1)], 0.1, threads=2, progress=QUIET)
    assert cloud.points[:, 2] == pytest.approx(2.01)
    assert len(cloud.points) == len(np.unique(np.floor(cloud.points / 0.1), axis=0))
    assert 120 < len(cloud.points) < 240  # 1.6 by 1.2, and what only the outer views see


def test_views_fused_in_parts_give_the_same_cloud_to_the_bit(tmp_path: Path) -> None:
    cameras = [camera(x) for x in (-0.1, 0.0, 0.1)]

    def fused(divided: fusion.Divided) -> Cloud:
        sources = [(1, 2), (0, 2), (0, 1)]
        return fusion.fuse(
            cameras, lambda at: wall(2.01 + 0.001 * at), sources, 0.1, threads=1, progress=QUIET, divided=divided
        )

    def in_parts(make: dividing.Make) -> list[Path]:
        folders = [tmp_path / "first", tmp_path / "second"]
        for folder, part in zip(folders, (range(2), range(2, 3)), strict=True):
            folder.mkdir()
            make(folder, part, QUIET)
        return folders

    whole = fused(lambda _: [])
    joined = fused(in_parts)
    assert len(whole.points) > 100
    assert np.array_equal(whole.points, joined.points)
    assert np.array_equal(whole.normals, joined.normals)


def test_fusion_holds_as_many_maps_for_many_views_as_for_few() -> None:
    def most_held(views: int) -> int:
        alive: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()
        counts = []

        def read(_: int) -> DepthMap:
            depth_map = wall(2.0)
            alive[id(depth_map.depths)] = depth_map.depths
            counts.append(len(alive))
            return depth_map

        sources = [(index - 1, index - 2) for index in range(views)]
        fusion.fuse([camera()] * views, read, sources, 0.1, threads=1, progress=QUIET)
        return max(counts)

    assert most_held(30) == most_held(6) <= 4
