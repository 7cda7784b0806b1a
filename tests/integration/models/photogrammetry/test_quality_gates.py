"""Photo sets that must fail, each by its gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.interface import ModelFailure, Photo, Work
from reconstruction_operator.models.photogrammetry import PhotogrammetryModel

from tests.support.engine import scenes
from tests.support.engine.geometry import ignore


def from_one_place(folder: Path) -> list[Path]:
    return scenes.save(folder, [scenes.ground_photo(camera, 1) for camera in scenes.turning(4, size=300)])


def of_different_boxes(folder: Path) -> list[Path]:
    cameras = scenes.around(3, arc_deg=60.0, size=300)
    return scenes.save(folder, [scenes.box_photo(camera, seed) for seed, camera in enumerate(cameras)])


def of_one_pixel(folder: Path) -> list[Path]:
    return scenes.save(folder, [np.full((1, 1), 128, np.uint8)] * 3)


def plain(folder: Path) -> list[Path]:
    return scenes.save(folder, [cv2.GaussianBlur(np.full((240, 320), 128, np.uint8), (5, 5), 0)] * 3)


def photo_of(path: Path) -> Photo:
    height, width = cv2.imread(str(path)).shape[:2]
    return Photo(path, width, height, 1)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(
            from_one_place,
            "NO_PARALLAX: the 4 photos were taken from one place: 0% of their overlapping pairs show parallax",
            id="a-camera-that-only-turns",
        ),
        pytest.param(
            of_different_boxes,
            "NOT_ENOUGH_OVERLAP: 0 of 3 photos overlap enough to be aligned, at least 3 are needed",
            id="a-box-each",
        ),
        pytest.param(of_one_pixel, "IMAGE_TOO_SMALL: half of the 3 photos have at most 1 px", id="one-pixel"),
        pytest.param(plain, "LOW_TEXTURE: half of the 3 photos show no distinct points", id="plain-photos"),
    ],
)
def test_a_set_without_a_model_fails_with_its_reason(
    make: Callable[[Path], list[Path]], expected: str, tmp_path: Path
) -> None:
    photos = tuple(map(photo_of, make(tmp_path / "photos")))
    work = Work(photos, tmp_path / "scratch", tmp_path / "output", {"quality": "fast"}, 1)
    work.scratch_dir.mkdir()
    work.output_dir.mkdir()
    with pytest.raises(ModelFailure, match=expected):
        PhotogrammetryModel().run(work, ignore)
