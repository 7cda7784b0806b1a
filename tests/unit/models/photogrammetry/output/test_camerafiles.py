from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.output import camerafiles
from reconstruction_operator.models.photogrammetry.placing.upright import Frame
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

TURNED = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # by 90 degrees around y


@pytest.fixture
def placed(sparse: SparseModel) -> SparseModel:
    """In a frame that is turned, moved and scaled, with photos of twice the size and names of the user's."""
    frame = Frame(TURNED, np.array([1.0, 2.0, 3.0]), 0.25)
    originals = {f"{index:04d}.jpg": Photo(Path(f"/photos/IMG {index} ü.jpg"), 800, 800, 1) for index in range(4)}
    return camerafiles.placed(sparse, frame, originals)


def test_cameras_json_projects_points_of_the_model_into_the_users_photos(placed: SparseModel, tmp_path: Path) -> None:
    camerafiles.write_json(tmp_path / "cameras.json", placed)
    content = json.loads((tmp_path / "cameras.json").read_text())
    assert content["leftOut"] == [{"name": "IMG 3 ü.jpg", "reason": "too few distinct points"}]
    first, photo = content["photos"][0], placed.photos[0]
    assert (first["name"], first["width"], first["points"]) == ("IMG 0 ü.jpg", 800, 20)
    x, y, z = np.array(first["rotation"]) @ placed.points[photo.seen[0]] + first["translation"]
    pixel = [first["fx"] * x / z + first["cx"], first["fy"] * y / z + first["cy"]]
    assert pixel == pytest.approx(photo.pixels[0], abs=1.01)
    assert np.array(first["rotation"]) @ first["position"] + first["translation"] == pytest.approx(
        np.zeros(3), abs=1e-9
    )
    assert first["reprojectionErrorPx"] == pytest.approx(1.0)


def test_colmap_reads_its_files_and_finds_the_same_errors(placed: SparseModel, tmp_path: Path) -> None:
    colours = np.full((41, 3), (10, 20, 30), np.uint8)
    camerafiles.write_colmap(tmp_path / "colmap", placed, colours)
    read = pycolmap.Reconstruction(tmp_path / "colmap")
    assert sorted(image.name for image in read.images.values()) == [photo.name for photo in placed.photos]
    assert len(read.points3D) == 40  # one point was seen by no photo
    assert read.points3D[1].xyz == pytest.approx(placed.points[0])
    assert read.points3D[1].color.tolist() == [10, 20, 30]
    assert read.points3D[1].error == pytest.approx(1.0)
    assert len(read.points3D[15].track.elements) == 2
    assert read.compute_mean_reprojection_error() == pytest.approx(1.0)
    for image, photo in zip(sorted(read.images.values(), key=lambda image: image.name), placed.photos, strict=True):
        assert image.cam_from_world().matrix()[:, :3] == pytest.approx(photo.camera.rotation, abs=1e-9)
        first = image.points2D[0]
        projected = image.project_point(read.points3D[first.point3D_id].xyz)
        assert first.xy - projected == pytest.approx([0.6, 0.8])
