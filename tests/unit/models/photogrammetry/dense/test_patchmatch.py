"""PatchMatch without a GPU: the test reads the workspace as COLMAP does, and writes depth maps in COLMAP's format."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import patchmatch
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap, DepthTask
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

from tests.support.engine import scenes
from tests.support.engine.geometry import QUIET

NAMES = ("0000.jpg", "0001.jpg", "0002.jpg")


def written(path: Path, depths: list[list[float]]) -> None:
    """A depth map as COLMAP writes it."""
    array = np.array(depths, dtype="<f4")
    path.write_bytes(f"{array.shape[1]}&{array.shape[0]}&1&".encode() + array.tobytes())


def computed(folder: Path, views: list[View], cameras: list[Camera], match: patchmatch.Match) -> list[DepthMap]:
    maps: dict[int, DepthMap] = {}
    patchmatch.compute(DepthTask(views, cameras, QUALITIES["high"], folder / "gpu", 1, QUIET), maps.__setitem__, match)
    return [maps[index] for index in range(len(views))]


def views(folder: Path) -> tuple[list[View], list[Camera]]:
    """Three views of 80 x 80 px, half as large for the depth maps; the last has no sources."""
    cameras = scenes.around(3, size=80)
    seen = []
    for name, camera, sources in zip(NAMES, cameras, ((1, 2), (0,), ()), strict=True):
        cv2.imwrite(str(folder / name), scenes.box_photo(camera, 1))
        seen.append(View(name, folder / name, camera, 2.0, 8.0, sources))
    return seen, [camera.resized(40, 40) for camera in cameras]


def test_colmap_reads_the_cameras_photos_and_sources_of_the_views(tmp_path: Path) -> None:
    given, cameras = views(tmp_path)
    seen: list[Camera] = []

    def match(folder: Path, *, options: pycolmap.PatchMatchOptions) -> None:
        model = pycolmap.Reconstruction(folder / "sparse")
        for image in sorted(model.images.values(), key=lambda image: image.name):
            lens = model.cameras[image.camera_id]
            assert cv2.imread(str(folder / "images" / image.name)).shape == (lens.height, lens.width, 3)
            pose = image.cam_from_world().matrix()
            pixels = lens.calibration_matrix() - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
            seen.append(Camera(pixels, pose[:, :3], pose[:, 3], lens.width, lens.height))
        assert (folder / "stereo" / "patch-match.cfg").read_text().splitlines() == [
            "0000.jpg",
            "0001.jpg, 0002.jpg",
            "0001.jpg",
            "0000.jpg",
        ]
        assert (options.depth_min, options.depth_max) == (2.0, 8.0)

    computed(tmp_path, given, cameras, match)
    corners = np.array([[1.0, 1.0, 1.0], [-1.0, 0.5, 1.0]])
    assert len(seen) == len(cameras)
    for camera, exact in zip(seen, cameras, strict=True):
        assert camera.project(corners)[0] == pytest.approx(exact.project(corners)[0])


def test_each_view_gets_its_depth_map_and_no_depth_without_one(tmp_path: Path) -> None:
    given, cameras = views(tmp_path)
    depths = np.zeros((40, 40))
    depths[3, 7] = 4.5

    def match(folder: Path, **_: object) -> None:
        written(folder / "stereo" / "depth_maps" / "0000.jpg.geometric.bin", depths.tolist())

    first, second, _ = computed(tmp_path, given, cameras, match)
    assert np.argwhere(first.depths > 0).tolist() == [[3, 7]]
    assert first.depths[3, 7] == 4.5
    assert first.sure[3, 7]
    assert not second.depths.any()
