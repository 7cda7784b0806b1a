from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at

from benchmarks.scenes import rendering
from benchmarks.scenes.paint import Noise, Paint
from benchmarks.scenes.rendering import Subject
from tests.support.engine.geometry import sphere


def grey(points: Doubles) -> Singles:
    return np.full((len(points), 3), 0.6, np.float32)


def test_a_photo_shows_the_lit_subject_before_the_sky() -> None:
    camera = looking_at(np.array([4.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 1.0]), focal=100.0, size=101)
    picture = rendering.photo(Subject.of(sphere(4), grey), camera, seed=0)
    middle = picture[48:53, 48:53].mean()
    light = rendering._LIGHT[0]  # the middle of the picture faces +x
    assert middle == pytest.approx(255 * 0.6 * (0.5 + 0.5 * light), abs=3)
    assert picture[:5, :5].reshape(-1, 3).mean(axis=0) == pytest.approx(255 * rendering._SKY, abs=3)
    assert picture[20:40, 50].mean() > picture[60:80, 50].mean()  # the light comes from above


def test_noise_differs_between_photos_and_not_between_runs() -> None:
    camera = looking_at(np.array([4.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 1.0]), focal=40.0, size=41)
    subject = Subject.of(sphere(2), grey)
    first, again, other = (rendering.photo(subject, camera, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_paint_is_fixed_in_space_with_detail_down_to_the_finest() -> None:
    paint = Paint(size=1.0, finest=1 / 64)
    points = np.random.default_rng(0).uniform(-2, 2, (2000, 3))
    assert np.array_equal(paint(points), paint(points))
    beside = paint(points + np.array([1 / 64, 0.0, 0.0]))
    assert 0.02 < np.abs(paint(points) - beside).mean() < np.abs(paint(points) - paint(points[::-1])).mean()


def test_noise_spreads_around_a_half() -> None:
    values = Noise(seed=5, wavelength=1.0, octaves=5)(np.random.default_rng(0).uniform(-9, 9, (5000, 3)))
    assert values.mean() == pytest.approx(0.5, abs=0.03)
    assert 0.05 < values.std() < 0.3
