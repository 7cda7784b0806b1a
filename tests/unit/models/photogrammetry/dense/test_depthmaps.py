from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import depthmaps
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap, DepthTask
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

from tests.support.engine import scenes
from tests.support.engine.geometry import QUIET


def test_the_depth_between_two_planes_comes_from_a_parabola() -> None:
    inverse = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    exact = 0.33
    total = np.rint(40_000 * (inverse - exact) ** 2).astype(np.uint16).reshape(1, 1, 5)
    inverses, _ = depthmaps.choose_planes(total, inverse)
    assert inverses[0, 0] == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("next_best", "sure"),
    [pytest.param(110, False, id="nearly-as-good"), pytest.param(120, True, id="clearly-worse")],
)
def test_a_depth_is_sure_if_no_other_depth_costs_nearly_as_little(next_best: int, sure: bool) -> None:
    total = np.full((1, 1, 12), 900, np.uint16)
    total[0, 0, 2:5] = [300, 100, 300]
    total[0, 0, 9] = next_best
    assert depthmaps.choose_planes(total, np.linspace(0.1, 0.5, 12))[1][0, 0] == sure


WIDTH, HEIGHT, FOCAL, DISTANCE, SHIFT_PX = 160, 120, 200.0, 4.0, 12


@pytest.mark.parametrize("refined", [(WIDTH,), (WIDTH // 2, WIDTH)])
def test_what_a_mask_hides_has_no_depth(tmp_path: Path, refined: tuple[int, ...]) -> None:
    sky = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    sky[:50], sky[20:, 60:100] = True, False  # behind a tower
    cv2.imwrite(str(tmp_path / "mask.png"), np.where(sky, 0, 255).astype(np.uint8))
    cameras = []
    for index, shift in enumerate((0, SHIFT_PX)):  # a wall that faces the cameras
        wall = scenes.texture(1)[:HEIGHT, 100 + shift : 100 + shift + WIDTH]
        hidden = np.roll(sky, -shift, axis=1)
        intrinsics = np.array([[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL, HEIGHT / 2], [0.0, 0.0, 1.0]])
        to_left = np.array([-shift * DISTANCE / FOCAL, 0.0, 0.0])
        cameras.append(Camera(intrinsics, np.eye(3), to_left, WIDTH, HEIGHT))
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.where(hidden, 217, wall))
    views = [
        View(f"{index}.png", tmp_path / f"{index}.png", camera, 3.0, 6.0, (1 - index,), mask)
        for index, (camera, mask) in enumerate(zip(cameras, (tmp_path / "mask.png", None), strict=True))
    ]
    settings = replace(QUALITIES["preview"], depth_size=refined[0], refined_sizes=refined)
    maps: dict[int, DepthMap] = {}
    depthmaps.compute(DepthTask(views, cameras, settings, tmp_path / "task", 1, QUIET), maps.__setitem__)
    masked, whole = maps[0], maps[1]
    visible = ~sky
    visible[:, :SHIFT_PX] = visible[:, -SHIFT_PX:] = False
    assert (np.abs(masked.depths[visible] - DISTANCE) < 0.1).mean() > 0.9
    assert not masked.depths[sky].any()
    assert whole.depths[np.roll(sky, -SHIFT_PX, axis=1)].any()  # a halo


def depth_map(index: int) -> DepthMap:
    depths = np.full((3, 2 + index), index / 3, dtype=np.float32)
    return DepthMap(depths, depths > 1)


def test_depth_maps_are_read_back_in_their_order(tmp_path: Path) -> None:
    maps = [depth_map(index) for index in range(12)]
    for index, depths in enumerate(maps):
        depthmaps.write(tmp_path, index, depths)
    read = depthmaps.reader(tmp_path)
    for index, depths in reversed([*enumerate(maps)]):
        assert np.array_equal(depths.depths, read(index).depths)
        assert np.array_equal(depths.sure, read(index).sure)
    assert (read(0).depths.dtype, read(0).sure.dtype) == (np.float32, np.bool_)


def test_few_depth_maps_are_held_however_many_are_read(tmp_path: Path) -> None:
    for index in range(90):
        depthmaps.write(tmp_path, index, depth_map(1))
    read = depthmaps.reader(tmp_path)
    held = weakref.WeakValueDictionary({index: read(index).depths for index in range(90)})
    assert len(held) == 32
