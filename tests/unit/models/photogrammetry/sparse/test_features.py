"""Features in COLMAP's database: one camera for photos that share intrinsics, and limits of the quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto, mask_name
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import features
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

from tests.support.engine import scenes
from tests.support.engine.geometry import QUIET

WIDTH, HEIGHT = 160, 120


def photo(folder: Path, name: str, *, camera: str = "one", focal: float | None = 400.0) -> PreparedPhoto:
    """A photo of blurred noise."""
    cv2.imwrite(str(folder / name), scenes.noise(len(name), WIDTH, HEIGHT))
    return PreparedPhoto(name, name, WIDTH, HEIGHT, focal, camera)


def extract(photos: Sequence[PreparedPhoto], folder: Path, progress: StageProgress = QUIET, limit: int = 400) -> Path:
    database = folder / "features.db"
    features.extract(photos, folder, database, features=limit, threads=1, progress=progress)
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
    photos = [replace(photo(tmp_path, "a.png"), masked=True), photo(tmp_path, "bb.png")]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = 255
    cv2.imwrite(str(tmp_path / mask_name("a.png")), mask)
    with pycolmap.Database.open(extract(photos, tmp_path)) as database:
        across = {
            image.name: database.read_keypoints(image.image_id)[:, 0].max() for image in database.read_all_images()
        }
    assert across["a.png"] < WIDTH / 2 + 1
    assert across["bb.png"] > WIDTH * 0.8


@pytest.mark.parametrize(("limit", "fewest", "most"), [(200, 200, 500), (2000, 550, 2000)])
def test_the_quality_limits_the_features_of_a_photo(limit: int, fewest: int, most: int, tmp_path: Path) -> None:
    """Of points: some have several orientations, and a feature for each."""
    photos = [photo(tmp_path, "a.png"), photo(tmp_path, "bb.png")]
    counts = features._counts(extract(photos, tmp_path, limit=limit))
    assert len(counts) == 2
    assert all(fewest <= count <= most for count in counts), counts


def test_a_small_photo_has_more_features_since_it_is_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_FEW", 0)
    counts = []
    for limit in (WIDTH, WIDTH - 1):
        monkeypatch.setattr(features, "SMALL_PHOTO_PX", limit)
        folder = tmp_path / str(limit)
        folder.mkdir()
        counts.append(features.mean(extract([photo(folder, "a.jpg")], folder, limit=4000)))
    doubled, as_it_is = counts
    assert doubled > 1.5 * as_it_is


@pytest.mark.parametrize(("few", "doubled"), [(100_000, True), (1, False)])
def test_small_photos_are_doubled_at_any_quality_if_half_of_them_have_few_features(
    few: int, doubled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for limit in (1, few):
        monkeypatch.setattr(features, "_FEW", limit)
        folder = tmp_path / str(limit)
        folder.mkdir(exist_ok=True)
        photos, database = [photo(folder, "a.jpg")], folder / f"{len(counts)}.db"
        features.extract(photos, folder, database, features=4000, threads=1, progress=QUIET, enlarge=False)
        counts.append(features.mean(database))
    assert (counts[1] > 1.5 * counts[0]) is doubled
