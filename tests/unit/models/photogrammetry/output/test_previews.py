from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.output import previews

from tests.support.engine.geometry import coloured_square


def test_previews_of_a_facade_stay_on_the_arc_of_the_photos() -> None:
    centres = np.array([[-1.0, 0.5, 3.0], [0.0, 0.5, 3.0], [1.0, 0.5, 3.0]])
    directions = previews.directions(centres, 4)
    assert (directions[:, 2] > 0.8).all()
    assert directions[0, 0] < -0.3
    assert directions[-1, 0] > 0.3


def test_a_model_that_turns_stays_in_the_picture_and_keeps_its_size() -> None:
    points = coloured_square().mesh.vertices
    views = previews.directions(3 * np.array([[np.sin(a), 0.5, np.cos(a)] for a in np.arange(0, 6, 0.5)]), 8)
    cameras = previews.around(points, views)
    middle = points.mean(axis=0)
    distances = [np.linalg.norm(camera.centre - middle) for camera in cameras]
    assert distances == pytest.approx([distances[0]] * 8)
    pixels = np.concatenate([camera.project(points)[0] for camera in cameras])
    assert pixels.min() >= 0.05 * cameras[0].width - 1
    assert pixels.max() <= 0.95 * cameras[0].width
