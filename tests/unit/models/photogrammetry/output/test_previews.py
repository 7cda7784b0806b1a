from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.output import previews
from reconstruction_operator.models.photogrammetry.surface.raycast import Caster

from tests.support.engine.geometry import coloured_square


def test_preview_shows_the_whole_model_as_large_as_possible() -> None:
    square = coloured_square()
    camera = previews.framed(square.mesh.vertices, np.array([0.0, 0.8, 0.6]))
    picture = previews.render(square, Caster(square.mesh), camera).astype(int)
    shown = np.ptp(picture, axis=2) > 60
    rows, columns = np.nonzero(shown)
    assert columns.min() == pytest.approx(0.05 * 512, abs=8)
    assert columns.max() == pytest.approx(0.95 * 512, abs=8)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(256, abs=6)
    left, right = picture[300, 150], picture[300, 360]
    assert left[0] > 100 > left[2]
    assert right[2] > 100 > right[0]


def test_previews_surround_a_model_that_photos_surround() -> None:
    angles = np.radians(np.arange(0, 360, 30))
    centres = np.stack([3 * np.sin(angles), np.ones(12), 3 * np.cos(angles)], axis=1)
    assert previews.directions(centres, 4).sum(axis=0)[[0, 2]] == pytest.approx([0.0, 0.0], abs=1e-9)


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
