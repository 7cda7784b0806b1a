"""Structure from motion on photos that were computed: the poses are known, and which photos cannot be aligned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry import gates
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import mapping
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.leaving import Why
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

from tests.support.geometry import QUIET

PHOTOS = 6


def synthesize(database: Path, photos: int = PHOTOS) -> Any:
    """COLMAP's computed scene of 100 points, and their matches in `database`; returns the true reconstruction."""
    pycolmap.set_random_seed(1)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, photos
    options.camera_has_prior_focal_length = True
    with pycolmap.Database.open(database) as opened:
        return pycolmap.synthesize_dataset(options, opened)


def forget_matches_of_one(database: Path) -> str:
    """The photo's name."""
    with pycolmap.Database.open(database) as opened:
        *others, one = opened.read_all_images()
        for other in others:
            opened.delete_matches(one.image_id, other.image_id)
            opened.delete_two_view_geometry(one.image_id, other.image_id)
        return str(one.name)


def align(database: Path, count: int = PHOTOS, progress: StageProgress = QUIET) -> SparseModel:
    scratch = database.with_name("sparse")
    scratch.mkdir()
    return mapping.align(database, database.parent, scratch, count=count, seed=1, threads=1, progress=progress)


def distances(centres: Doubles) -> Doubles:
    """Between all pairs, relative to the largest one: neither the scale nor the place of a model is known."""
    apart: Doubles = np.linalg.norm(centres[:, None] - centres[None, :], axis=2)
    return apart / apart.max()


def test_the_poses_are_those_from_which_the_photos_were_taken(tmp_path: Path) -> None:
    truth = synthesize(tmp_path / "features.db")
    model = align(tmp_path / "features.db")
    expected = {image.name: image.projection_center() for image in truth.images.values()}
    assert [photo.name for photo in model.photos] == sorted(expected)
    centres = np.stack([-photo.rotation.T @ photo.translation for photo in model.photos])
    assert distances(centres) == pytest.approx(
        distances(np.stack([expected[one.name] for one in model.photos])), abs=0.01
    )
    assert model.reprojection_error_px < 0.5
    assert len(model.points) == pytest.approx(100, abs=10)


def test_a_photo_has_its_camera_in_whole_pixels_and_the_points_it_shows(tmp_path: Path) -> None:
    truth = synthesize(tmp_path / "features.db")
    (camera,) = truth.cameras.values()
    model = align(tmp_path / "features.db")
    photo = model.photos[0]
    assert (photo.width, photo.height) == (camera.width, camera.height)
    assert photo.principal == (camera.params[1] - 0.5, camera.params[2] - 0.5)
    assert photo.focal == pytest.approx(camera.params[0], rel=0.02)
    in_camera = model.points[photo.seen] @ photo.rotation.T + photo.translation
    assert (in_camera[:, 2] > 0).all()
    shown = in_camera[:, :2] / in_camera[:, 2:]
    shown *= 1 + photo.radial * (shown**2).sum(axis=1, keepdims=True)
    assert photo.pixels == pytest.approx(shown * photo.focal + photo.principal, abs=1.0)
    assert len(photo.seen) >= gates.POINTS_SEEN.limit


def test_photos_without_matches_give_an_empty_model(tmp_path: Path) -> None:
    synthesize(tmp_path / "features.db")
    with pycolmap.Database.open(tmp_path / "features.db") as database:
        database.clear_matches()
        database.clear_two_view_geometries()
    model = align(tmp_path / "features.db")
    assert (len(model.photos), model.points.shape) == (0, (0, 3))
    assert [one.why for one in model.left_out] == [Why.NO_MATCHES] * PHOTOS


def test_a_photo_that_cannot_be_aligned_is_tried_in_both_ways_and_left_out(tmp_path: Path) -> None:
    synthesize(tmp_path / "features.db")
    alone = forget_matches_of_one(tmp_path / "features.db")
    heard: list[str] = []
    progress = StageProgress(lambda _, __, text="": heard.append(text), Step.RECONSTRUCT)
    model = align(tmp_path / "features.db", progress=progress)
    assert alone not in {photo.name for photo in model.photos}
    assert heard[-2:] == ["5 of 6 photos aligned one by one, trying all at once", "5 of 6 photos aligned"]


def test_the_model_with_most_photos_wins_unless_it_is_inaccurate(tmp_path: Path) -> None:
    small, large = synthesize(tmp_path / "small.db", 4), synthesize(tmp_path / "large.db", 5)
    for one in (small, large):
        one.update_point_3d_errors()
    assert len(mapping._largest(mapping._trusted([small, large])).photos) == 5

    noise = pycolmap.SyntheticNoiseOptions()
    noise.point2D_stddev = 30.0
    pycolmap.synthesize_noise(noise, large)
    large.update_point_3d_errors()
    assert len(mapping._largest(mapping._trusted([small, large])).photos) == 4
    assert mapping._trusted([large]) == []
