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
    """A photo of textured ground with a tower, before a plain `colour` that is brighter below; and where ground and
    tower are.
    """
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
    _, blank = blank_areas.of_photo(photo, NONE)
    assert blank[~solid].mean() > 0.97
    assert blank[solid].mean() < 0.01


@pytest.mark.parametrize(
    ("photo", "points"),
    [
        pytest.param(before(CREAM)[0], NONE, id="a-warm-wall"),
        pytest.param(_as_jpeg(np.repeat(scenes.texture(5)[:, :, None], 3, axis=2).astype(float)), NONE, id="texture"),
        pytest.param(
            before(OVERCAST)[0], np.array([[40.0, 50.0], [90.0, 120.0], [300.0, 80.0]]), id="a-plain-wall-with-marks"
        ),
        pytest.param(before(BLUE)[0][::-1, :150], NONE, id="a-plain-floor"),
    ],
)
def test_what_is_no_sky_is_not_blank(photo: Pixels, points: Doubles) -> None:
    assert not np.any(blank_areas.of_photo(photo, points))


def test_borders_are_blank_and_a_dark_place_inside_the_photo_is_not() -> None:
    """The letterbox of a film, and the corners of an undistorted photo."""
    photo = np.repeat(scenes.texture(4)[:300, :400, None], 3, axis=2)
    inside = cv2.ellipse(np.zeros((300, 400), np.uint8), (200, 150), (235, 180), 0, 0, 360, 1, cv2.FILLED) > 0
    inside[:40] = inside[-40:] = False
    photo[~inside] = 0
    photo[100:150, 180:240] = 0
    blank, _ = blank_areas.of_photo(_as_jpeg(photo.astype(float)), NONE)
    assert blank[~inside].mean() > 0.95
    assert blank[inside].mean() < 0.02
