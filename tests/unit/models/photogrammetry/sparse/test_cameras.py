from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at

from tests.support.engine import scenes


def camera(eye: tuple[float, float, float], target: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Camera:
    return looking_at(np.array(eye), np.array(target), scenes.UP, focal=500.0, size=401)


def test_rays_lead_back_to_the_points_that_were_projected() -> None:
    view = camera((2.0, 1.0, 4.0))
    rays = view.rays().reshape(401, 401, 3)
    pixels, depth = view.project(view.centre + 3.0 * rays[[10, 200], [390, 77]])
    assert pixels == pytest.approx(np.array([[390.0, 10.0], [77.0, 200.0]]))
    assert depth == pytest.approx([3.0, 3.0])


def test_a_resized_camera_agrees_with_a_resized_picture() -> None:
    # The corner of the picture (not the centre of its first pixel) stays where it is.
    whole = camera((0.0, 0.0, 5.0))
    half = whole.resized(200, 200)
    points = np.array([[0.3, -0.4, 0.1], [0.0, 0.2, 1.0]])
    large, _ = whole.project(points)
    small, _ = half.project(points)
    assert (small + 0.5) / 200 == pytest.approx((large + 0.5) / 401)
