"""Structure from motion on photos that were computed: the poses are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse import mapping
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

from tests.support.engine.databases import matched, synthesize
from tests.support.engine.geometry import QUIET

PHOTOS = 6


def distances(centres: Doubles) -> Doubles:
    """Between all pairs, relative to the largest one: neither the scale nor the place of a model is known."""
    apart: Doubles = np.linalg.norm(centres[:, None] - centres[None, :], axis=2)
    return apart / apart.max()


def test_poses_cameras_and_points_are_those_of_the_photos(tmp_path: Path) -> None:
    truth = synthesize(tmp_path / "features.db", PHOTOS)
    (model,) = mapping.one_by_one(matched(tmp_path / "features.db", PHOTOS), QUIET)
    expected = {image.name: image.projection_center() for image in truth.images.values()}
    assert [photo.name for photo in model.photos] == sorted(expected)
    centres = np.stack([photo.camera.centre for photo in model.photos])
    assert distances(centres) == pytest.approx(
        distances(np.stack([expected[photo.name] for photo in model.photos])), abs=0.01
    )
    assert model.reprojection_error_px < 0.5
    assert len(model.points) == pytest.approx(100, abs=10)

    (camera,), photo = truth.cameras.values(), model.photos[0]
    assert (photo.camera.width, photo.camera.height) == (camera.width, camera.height)
    focal, *principal = photo.camera.lens
    assert principal == [camera.params[1] - 0.5, camera.params[2] - 0.5]
    assert focal == pytest.approx(camera.params[0], rel=0.02)
    in_camera = model.points[photo.seen] @ photo.camera.rotation.T + photo.camera.translation
    assert (in_camera[:, 2] > 0).all()
    projected = in_camera[:, :2] / in_camera[:, 2:]
    projected *= 1 + photo.radial.first * (projected**2).sum(axis=1, keepdims=True)
    assert photo.pixels == pytest.approx(projected * focal + principal, abs=1.0)
    assert len(photo.seen) >= quality_gates.POINTS_SEEN.limit


def test_the_model_with_most_photos_is_first_and_an_inaccurate_one_is_left_out(tmp_path: Path) -> None:
    small = synthesize(tmp_path / "small.db", 4)
    large = synthesize(tmp_path / "large.db", 5)
    for model in (small, large):
        model.update_point_3d_errors()
    assert [len(model.names) for model in mapping.trusted([small, large])] == [5, 4]

    noise = pycolmap.SyntheticNoiseOptions()
    noise.point2D_stddev = 30.0
    pycolmap.synthesize_noise(noise, large)
    large.update_point_3d_errors()
    assert [len(model.names) for model in mapping.trusted([small, large])] == [4]


def test_photos_with_few_matches_are_aligned_where_these_are_enough(tmp_path: Path) -> None:
    synthesize(tmp_path / "features.db", PHOTOS, points=int(quality_gates.POINTS_SEEN.limit) + 3)
    photos = matched(tmp_path / "features.db", PHOTOS)
    assert mapping.one_by_one(photos, QUIET) == []
    (model,) = mapping.one_by_one(photos, QUIET, with_few_matches=True)
    assert len(model.names) == PHOTOS
