"""Selection: blurred and badly aligned photos give no depth and no colour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import selection
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

from tests.support.engine import geometry, scenes
from tests.support.engine.geometry import QUIET

POINTS = np.random.default_rng(0).uniform(-0.6, 0.6, (300, 3))
COUNT = 12


@pytest.fixture
def model(tmp_path: Path) -> SparseModel:
    """Photos on an arc, all of which show all points and the same noise."""
    photos = []
    picture = scenes.noise(1, 400, 400)
    for index, camera in enumerate(scenes.around(COUNT)):
        name = f"{index:04d}.jpg"
        pixels, _ = camera.project(POINTS)
        photos.append(geometry.photo_of(camera, name, np.arange(len(POINTS)), pixels + 0.2))
        cv2.imwrite(str(tmp_path / name), picture)
    return SparseModel(tuple(photos), POINTS, 0.3)


def blur(folder: Path, photo: AlignedPhoto, length_px: int = 12) -> None:
    """Blur the photo as a camera that moves by some pixels."""
    picture = cv2.imread(str(folder / photo.name), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    cv2.imwrite(str(folder / photo.name), cv2.blur(picture, (length_px, 1)))


def unused(model: SparseModel, folder: Path) -> list[int]:
    kept = selection.trusted(model, folder, threads=2, progress=QUIET).names
    return [index for index, photo in enumerate(model.photos) if photo.name not in kept]


def test_sharp_photos_are_all_used(model: SparseModel, tmp_path: Path) -> None:
    assert unused(model, tmp_path) == []


@pytest.mark.parametrize("blurred", [[5], [1, 4, 5, 8, 9]], ids=["one", "five-of-twelve"])
def test_blurred_photos_are_not_used(model: SparseModel, tmp_path: Path, blurred: list[int]) -> None:
    for index in blurred:
        blur(tmp_path, model.photos[index])
    assert unused(model, tmp_path) == blurred


def test_photos_that_are_all_blurred_alike_are_used(model: SparseModel, tmp_path: Path) -> None:
    for photo in model.photos:
        blur(tmp_path, photo)
    assert unused(model, tmp_path) == []


def test_a_blurred_photo_is_used_where_no_two_others_show_the_same(model: SparseModel, tmp_path: Path) -> None:
    blur(tmp_path, model.photos[0])
    first, second, *others = model.photos
    half = len(POINTS) // 2
    cut = [replace(photo, seen=photo.seen[half:], pixels=photo.pixels[half:]) for photo in others]
    assert unused(replace(model, photos=(first, second, *cut)), tmp_path) == []


@pytest.mark.parametrize(("blurred_px", "dropped"), [(1, []), (7, [3])], ids=["sharp", "blurred-a-little"])
def test_a_badly_aligned_photo_is_not_used_if_it_is_less_sharp(
    model: SparseModel, tmp_path: Path, blurred_px: int, dropped: list[int]
) -> None:
    """A photo on a side that few points tie to the others has large errors, too, and shows what no other shows."""
    photos = list(model.photos)
    photos[3] = replace(photos[3], pixels=photos[3].pixels + 1.0)
    blur(tmp_path, photos[3], blurred_px)
    assert unused(replace(model, photos=tuple(photos)), tmp_path) == dropped
    assert unused(model, tmp_path) == []
