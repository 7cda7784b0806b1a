from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.output import results
from reconstruction_operator.models.photogrammetry.parameters import settings
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

from tests.support.engine.geometry import QUIET, RED, coloured_square


@pytest.fixture
def model(sparse: SparseModel) -> results.Model:
    square = coloured_square()
    points = np.array([[-0.5, 0.0, 0.5], [0.5, 0.01, 0.5], [0.0, 0.45, 0.0]])  # the last is far from the square
    return results.Model(
        mesh=square.mesh,
        colours=np.tile(np.array(RED, np.float32), (4, 1)),
        seen_by=np.full(4, 2),
        textured=square,
        cloud=Cloud(points, np.tile([0.0, 1.0, 0.0], (3, 1))),
        sparse=sparse,
        subject=square.mesh.vertices,
        inside=False,
    )


@pytest.mark.parametrize(
    ("chosen", "more"),
    [
        ({}, set()),
        ({"compress": True}, {"model_compressed.glb"}),
        ({"obj": True}, {"model.obj", "model.mtl", "model_texture.png"}),
    ],
)
def test_all_files_of_the_models_are_written(
    model: results.Model, tmp_path: Path, chosen: dict[str, bool], more: set[str]
) -> None:
    results.write_models(tmp_path, model, settings(chosen))
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names - more == {
        "cameras.json",
        "colmap/cameras.bin",
        "colmap/images.bin",
        "colmap/points3D.bin",
        "model.glb",
        "model_full.glb",
        "pointcloud.ply",
    }
    assert more <= names
    cloud: Any = trimesh.load(tmp_path / "pointcloud.ply", process=False)
    # That of the surface beside the point, or grey.
    assert np.asarray(cloud.colors)[:, :3].tolist() == [[200, 30, 20], [200, 30, 20], [128, 128, 128]]


def test_an_obj_reads_back_with_its_texture(model: results.Model, tmp_path: Path) -> None:
    results.write_models(tmp_path, model, settings({"obj": True}))
    loaded, square = trimesh.load_mesh(tmp_path / "model.obj", process=False, maintain_order=True), model.textured
    assert np.asarray(loaded.vertices) == pytest.approx(square.mesh.vertices)
    assert np.asarray(loaded.faces).tolist() == square.mesh.faces.tolist()
    assert np.asarray(loaded.vertex_normals) == pytest.approx(square.normals)
    assert np.asarray(loaded.visual.uv) * [1, -1] + [0, 1] == pytest.approx(square.uv)
    assert loaded.visual.material.image.getpixel((10, 10)) == pytest.approx(RED, abs=6)
    assert loaded.visual.material.diffuse.tolist() == [255, 255, 255, 255]  # which multiplies the texture


@pytest.mark.parametrize(("whole", "count"), [(True, 3), (False, 4)])
def test_an_animation_goes_around_or_there_and_back(tmp_path: Path, whole: bool, count: int) -> None:  # of the table
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    results.write_turn(tmp_path / "turn.webp", frames, whole=whole)
    with Image.open(tmp_path / "turn.webp") as image:
        assert (getattr(image, "n_frames", 1), image.info["loop"]) == (count, 0)
        assert image.convert("RGB").getpixel((4, 4))[0] > 200


def test_the_subject_of_the_photos_fills_the_pictures(model: results.Model, tmp_path: Path) -> None:
    """It is a tenth of the square, all of which only the first picture shows."""
    picture = results.write_previews(tmp_path, replace(model, subject=0.1 * model.textured.mesh.vertices), 2, QUIET)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(f"preview_{number}.png" for number in range(4)),
        "preview_turn.webp",
    ]
    with Image.open(tmp_path / "preview_3.png") as image:
        last = np.asarray(image)
    edges = [
        np.concatenate([pixels[:, 0], pixels[:, -1], pixels[0], pixels[-1]]).astype(int) for pixels in (picture, last)
    ]
    assert [bool((np.abs(edge[:, 0] - edge[:, 2]) > 100).any()) for edge in edges] == [False, True]
