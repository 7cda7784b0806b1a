"""Blank areas: sky and black borders in computed photos, after JPEG compression."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask, Pixels
from reconstruction_operator.models.photogrammetry.dense import blank_areas

from tests.support.engine import scenes

HEIGHT, WIDTH = 300, 400
NONE: Doubles = np.zeros((0, 2))
BLUE, OVERCAST, CREAM = (235, 190, 140), (205, 205, 203), (190, 215, 230)  # BGR


def before(colour: tuple[int, int, int]) -> tuple[Pixels, Mask]:
    """A photo of textured ground with a tower, before a plain `colour` that is brighter below; and where ground and tower are."""
    solid = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    solid[200:] = True
    solid[60:, 150:230] = True
    slope = np.linspace(-15, 15, HEIGHT)[:, None, None]
    texture = cv2.resize(scenes.texture(3), (WIDTH, HEIGHT))[:, :, None] * np.array([0.6, 0.7, 0.8])
    return _as_jpeg(np.where(solid[:, :, None], texture, np.array(colour) + slope)), solid


def _as_jpeg(photo: Doubles) -> Pixels:
    noisy = photo + np.random.default_rng(0).normal(0.0, 2.0, photo.shape)
    _, encoded = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


@pytest.mark.parametrize("colour", [pytest.param(BLUE, id="blue"), pytest.param(OVERCAST, id="overcast")])
def test_the_sky_is_blank_up_to_the_edge_of_what_stands_before_it(colour: tuple[int, int, int]) -> None:
    photo, solid = before(colour)
    blank = blank_areas.of_photo(photo, NONE)
    assert blank[~solid].mean() > 0.97
    assert blank[solid].mean() < 0.01


def test_a_warm_wall_and_a_textured_one_are_not_blank() -> None:
    photo, _ = before(CREAM)
    assert not blank_areas.of_photo(photo, NONE).any()
    assert not blank_areas.of_photo(
        _as_jpeg(np.repeat(scenes.texture(5)[:, :, None], 3, axis=2).astype(float)), NONE
    ).any()


def test_a_plain_wall_on_which_points_were_found_is_not_blank() -> None:
    photo, _ = before(OVERCAST)
    marks = np.array([[40.0, 50.0], [90.0, 120.0], [300.0, 80.0]])
    assert not blank_areas.of_photo(photo, marks).any()


def test_a_plain_floor_is_not_sky() -> None:
    photo, _ = before(BLUE)
    assert not blank_areas.of_photo(photo[::-1], NONE)[:, :150].any()


def test_a_letterbox_is_blank_and_a_dark_place_inside_the_photo_is_not() -> None:
    photo = np.repeat(scenes.texture(4)[:300, :400, None], 3, axis=2)
    photo[:40], photo[-40:], photo[100:150, 200:260] = 0, 0, 0
    blank = blank_areas.of_photo(_as_jpeg(photo.astype(float)), NONE)
    assert blank[:40].all()
    assert blank[-40:].all()
    assert not blank[46:-46].any()


def test_the_corners_of_an_undistorted_photo_are_blank() -> None:
    photo = np.repeat(scenes.texture(4)[:300, :400, None], 3, axis=2)
    inside = cv2.ellipse(np.zeros((300, 400), np.uint8), (200, 150), (235, 180), 0, 0, 360, 1, cv2.FILLED) > 0
    photo[~inside] = 0
    blank = blank_areas.of_photo(_as_jpeg(photo.astype(float)), NONE)
    assert blank[~inside].mean() > 0.95
    assert blank[inside].mean() < 0.02
