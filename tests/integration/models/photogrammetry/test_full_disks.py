"""Full disks: what a stage writes raises the error that a worker reports as DISK_FULL, and no part of it is sealed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from reconstruction_operator.models.interface import PartTurn, Photo, StageFolder
from reconstruction_operator.models.photogrammetry import arrays, dividing
from reconstruction_operator.models.photogrammetry.dense import depthmaps, views
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap
from reconstruction_operator.models.photogrammetry.input import photos
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import known
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.stages import Stages

from devcluster.mounts import small_disk
from tests.support.engine import geometry, scenes
from tests.support.engine.geometry import QUIET

SIDE = 1000
NOISE = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)  # compresses little
DEPTH = DepthMap(NOISE[:, :, 0].astype(np.float32), NOISE[:, :, 0] > 9)


def prepare(pictures: Path, folder: Path) -> None:
    Image.fromarray(NOISE).save(pictures / "photo.png")
    photo = Photo(pictures / "photo.png", SIDE, SIDE, 1)
    photos.prepare([photo], folder, SIDE, threads=1, progress=QUIET)


def undistort(pictures: Path, folder: Path) -> None:
    cv2.imwrite(str(pictures / "a.jpg"), NOISE)
    camera = looking_at(np.array([0.0, 0.0, 5.0]), np.zeros(3), scenes.UP, focal=1000.0, size=SIDE)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (9, 3))
    model = SparseModel((geometry.photo_of(camera, "a.jpg", np.arange(9)),), points, 0.5)
    views.undistort(model, pictures, folder, threads=1, progress=QUIET)


def match(pictures: Path, folder: Path) -> None:
    database = pictures / "matched.db"
    with pycolmap.Database.open(database) as made:
        camera = made.write_camera(pycolmap.Camera.create_from_model_name(1, "PINHOLE", 500.0, SIDE, SIDE))
        first, second = (made.write_image(pycolmap.Image(name=name, camera_id=camera)) for name in ("a", "b"))
        made.write_matches(first, second, np.zeros((200_000, 2), np.uint32))
    known.write_matches(folder, database, [("a", "b")])


@pytest.mark.parametrize("left_bytes", [64 << 10, 512 << 10])
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(prepare, id="photos"),
        pytest.param(match, id="matches"),
        pytest.param(undistort, id="views"),
        pytest.param(lambda _, folder: photos.write_pixels(folder / "a.mask.png", NOISE), id="masks"),
        pytest.param(lambda _, folder: depthmaps.write(folder, 0, DEPTH), id="depth-maps"),
        pytest.param(lambda _, folder: arrays.write(folder, DEPTH), id="arrays"),
    ],
)
def test_a_part_that_a_full_disk_leaves_incomplete_is_not_sealed(
    tmp_path: Path, write: Callable[[Path, Path], None], left_bytes: int
) -> None:
    kept = tmp_path / "stages"
    pictures = tmp_path / "pictures"
    for folder in (kept, pictures):
        folder.mkdir()
    turns = [PartTurn(0), PartTurn(None, 2, over=True)]
    stages = Stages(StageFolder(kept, "key"), parts=lambda *_: turns.pop(0))

    def make(into: Path, _wanted: range, _progress: StageProgress) -> None:
        write(pictures, into)

    with small_disk(kept, 1) as is_small:
        if not is_small:
            pytest.skip("this process may not mount")
        (kept / ".filler").write_bytes(bytes((1 << 20) - left_bytes))
        with pytest.raises(OSError, match="No space left") as caught:
            dividing.fill(stages, "views", tmp_path, ["a", "b"], 1, make=make, progress=QUIET)
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in kept.iterdir() if not path.name.startswith(".")] == []
