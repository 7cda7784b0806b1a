from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.output import results
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

from tests.support.geometry import RED, coloured_square


@pytest.fixture
def made(sparse: SparseModel) -> results.Made:
    square = coloured_square()
    points = np.array([[-0.5, 0.0, 0.5], [0.5, 0.01, 0.5], [0.0, 0.45, 0.0]])  # the last is far from the square
    return results.Made(
        mesh=square.mesh,
        colours=np.tile(np.array(RED, np.float32), (4, 1)),
        seen_by=np.full(4, 2),
        textured=square,
        cloud=Cloud(points, np.tile([0.0, 1.0, 0.0], (3, 1))),
        sparse=sparse,
    )


@pytest.mark.parametrize(("compress", "more"), [(False, set()), (True, {"model_compressed.glb"})])
def test_all_files_of_the_models_are_written(
    made: results.Made, tmp_path: Path, compress: bool, more: set[str]
) -> None:
    results.write_models(tmp_path, made, compress=compress)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names - more == {
        "cameras.json",
        "colmap/cameras.bin",
        "colmap/images.bin",
        "colmap/points3D.bin",
        "model.glb",
        "model_textured.glb",
        "pointcloud.ply",
    }
    assert more <= names


def test_points_have_the_colour_of_the_surface_beside_them_or_grey(made: results.Made, tmp_path: Path) -> None:
    results.write_models(tmp_path, made, compress=False)
    cloud = trimesh.load(tmp_path / "pointcloud.ply", process=False)
    assert np.asarray(cloud.colors)[:, :3].tolist() == [[200, 30, 20], [200, 30, 20], [128, 128, 128]]


@pytest.mark.parametrize(("whole", "count"), [(True, 3), (False, 4)])
def test_an_animation_goes_around_or_there_and_back(tmp_path: Path, whole: bool, count: int) -> None:  # of the table
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    results.write_turn(tmp_path / "turn.webp", frames, whole=whole)
    with Image.open(tmp_path / "turn.webp") as image:
        assert (getattr(image, "n_frames", 1), image.info["loop"]) == (count, 0)
        assert image.convert("RGB").getpixel((4, 4))[0] > 200  # type: ignore[index]  # three numbers
