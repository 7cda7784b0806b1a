"""Features in COLMAP's database: one camera for photos that share intrinsics, and limits of the quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.sparse import features
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

from tests.support.engine import scenes
from tests.support.engine.geometry import QUIET

WIDTH, HEIGHT = 160, 120


def photo(folder: Path, name: str, *, camera: str = "one", focal: float | None = 400.0) -> PreparedPhoto:
    """A photo of blurred noise."""
    cv2.imwrite(str(folder / name), scenes.noise(len(name), WIDTH, HEIGHT))
    return PreparedPhoto(name, name, WIDTH, HEIGHT, focal, camera)


def extract(photos: Sequence[PreparedPhoto], folder: Path, limit: int = 400, of_a_set: int = 9_999) -> Path:
    database = folder / "features.db"
    features.extract(photos, folder, database, features=limit, threads=1, progress=QUIET, of_a_set=of_a_set)
    return database


def test_photos_of_one_camera_share_its_intrinsics(tmp_path: Path) -> None:
    photos = [
        photo(tmp_path, "a.png"),
        photo(tmp_path, "bb.png"),
        photo(tmp_path, "other.png", camera="two", focal=None),
    ]
    with pycolmap.Database.open(extract(photos, tmp_path)) as database:
        cameras = {image.name: database.read_camera(image.camera_id) for image in database.read_all_images()}
        assert database.num_cameras() == 2
    assert cameras["a.png"].camera_id == cameras["bb.png"].camera_id != cameras["other.png"].camera_id
    assert list(cameras["a.png"].params) == [400.0, WIDTH / 2, HEIGHT / 2, 0.0]
    assert cameras["a.png"].has_prior_focal_length
    assert not cameras["other.png"].has_prior_focal_length


def test_a_masked_photo_has_features_on_the_object_alone(tmp_path: Path) -> None:
    photos = [replace(photo(tmp_path, "a.png"), mask="a.mask.png"), photo(tmp_path, "bb.png")]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = 255
    cv2.imwrite(str(tmp_path / "a.mask.png"), mask)
    with pycolmap.Database.open(extract(photos, tmp_path)) as database:
        across = {
            image.name: database.read_keypoints(image.image_id)[:, 0].max() for image in database.read_all_images()
        }
    assert across["a.png"] < WIDTH / 2 + 1
    assert across["bb.png"] > WIDTH * 0.8


def test_of_a_masked_photo_too_the_features_with_most_contrast_are_kept(tmp_path: Path) -> None:
    """OpenCV chooses before it masks, so half of these would be missing."""
    taken = replace(photo(tmp_path, "a.png"), mask="a.mask.png")
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = 255
    cv2.imwrite(str(tmp_path / "a.mask.png"), mask)
    assert features._counts(extract([taken], tmp_path, limit=200)) == [200]


@pytest.mark.parametrize(("limit", "fewest", "most"), [(200, 200, 200), (20_000, 400, 20_000)])
def test_the_quality_limits_the_features_of_a_photo(limit: int, fewest: int, most: int, tmp_path: Path) -> None:
    photos = [photo(tmp_path, "a.png"), photo(tmp_path, "bb.png")]
    counts = features._counts(extract(photos, tmp_path, limit=limit))
    assert len(counts) == 2
    assert all(fewest <= count <= most for count in counts), counts


def test_photos_of_a_large_set_have_fewer_features(tmp_path: Path) -> None:
    photos = [photo(tmp_path, "a.png"), photo(tmp_path, "bb.png")]
    assert features._counts(extract(photos, tmp_path, of_a_set=300)) == [150, 150]


def test_features_of_a_reduced_photo_are_where_they_are_in_the_photo(tmp_path: Path) -> None:
    """COLMAP's centre of the first pixel is (0.5, 0.5)."""
    spots = np.full((1050, 1400), 128, np.uint8)
    cv2.circle(spots, (400, 260), 8, 255, -1, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "spot.png"), spots)
    database = tmp_path / "features.db"
    prepared = PreparedPhoto("spot.png", "spot.png", 1400, 1050, None, "one")
    with pytest.raises(ModelFailure, match=r"of the \d+ photos show (no|at most \d+) distinct points"):
        features.extract([prepared], tmp_path, database, features=9, threads=1, progress=QUIET)
    with pycolmap.Database.open(database) as opened:
        keypoints = opened.read_keypoints(1)
    assert np.abs(keypoints[0, :2] - [400.5, 260.5]).max() < 0.2
    assert keypoints[0, 2] == pytest.approx(8 / np.sqrt(2), rel=0.3)


def test_a_photo_without_features_has_none(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((HEIGHT, WIDTH), 128, np.uint8))
    photos = [photo(tmp_path, "a.png"), PreparedPhoto("grey.png", "grey.png", WIDTH, HEIGHT, 400.0, "one")]
    assert sorted(features._counts(extract(photos, tmp_path))) == [0, 400]
