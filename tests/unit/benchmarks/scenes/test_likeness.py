"""Likeness: 1 for equal pictures, and lower for the same picture moved or blurred."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.scenes.likeness import similarity


def test_equal_pictures_are_alike_and_a_moved_or_blurred_one_is_less_so() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (60, 80, 3)).astype(np.float32)
    noisy = picture + np.random.default_rng(2).normal(0, 20, picture.shape).astype(np.float32)
    assert similarity(picture, picture) == pytest.approx(1.0, abs=1e-3)
    assert 0.8 < similarity(picture, noisy).mean() < 0.97
    assert similarity(picture, np.roll(picture, 3, axis=1)).mean() < 0.1
    assert similarity(picture, cv2.GaussianBlur(picture, (0, 0), 2)).mean() < 0.5
