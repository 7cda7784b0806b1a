"""Photographs: the users' photos as the texture reads them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from reconstruction_operator.models.interface import ModelFailure, Photo
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, Radial, pinhole
from reconstruction_operator.models.photogrammetry.texture import photographs
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph

from tests.support.engine import geometry

CAMERA = Camera(pinhole(500.0, 199.5, 149.5), np.eye(3), np.zeros(3), 400, 300)


def test_a_photograph_is_upright_and_as_large_as_the_users_photo(tmp_path: Path) -> None:
    upright = Image.new("RGB", (800, 600), "white")
    upright.paste("red", (0, 0, 80, 80))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8  # stored lying, to be turned by 90 degrees
    upright.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "a.jpg", exif=exif, quality=95)
    aligned = geometry.photo_of(CAMERA, "0000.jpg", np.arange(0))
    (whole,) = photographs.of_model([aligned], {"0000.jpg": Photo(tmp_path / "a.jpg", 800, 600, 0)}, 2048)
    for photograph, scale in ((whole, 1), (whole.resized(0.25), 4)):
        picture = photograph.image()
        assert picture.shape == (600 // scale, 800 // scale, 3)
        assert picture[40 // scale, 40 // scale] == pytest.approx([255, 0, 0], abs=12)
        assert picture[40 // scale, 160 // scale] == pytest.approx([255, 255, 255], abs=12)


def test_a_photo_larger_than_any_texture_needs_is_reduced() -> None:
    aligned = geometry.photo_of(CAMERA, "0000.jpg", np.arange(0))
    photo = Photo(Path("a.jpg"), 8000, 6000, 0)
    sizes = [photographs.of_model([aligned], {"0000.jpg": photo}, size)[0].camera.width for size in (1024, 8192)]
    assert sizes == [4096, 8000]


def test_distortion_is_that_of_the_lens() -> None:
    pixels = np.random.default_rng(0).uniform([0.0, 0.0], [399.0, 299.0], (50, 2))
    rays = np.column_stack([pixels, np.ones(50)]) @ np.linalg.inv(CAMERA.intrinsics).T
    expected, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), CAMERA.intrinsics, np.array([-0.2, 0.1, 0.0, 0.0]))
    photograph = Photograph(Path("a.jpg"), CAMERA, Radial(-0.2, 0.1))
    assert photograph.distorted(pixels) == pytest.approx(expected[:, 0], abs=1e-9)


def test_a_photo_that_can_no_longer_be_read_fails_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 broken")
    with pytest.raises(ModelFailure, match=r"^CORRUPT_IMAGE: a\.jpg cannot be read"):
        Photograph(tmp_path / "a.jpg", CAMERA).image()
