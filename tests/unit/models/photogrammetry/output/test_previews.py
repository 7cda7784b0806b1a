from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.output import previews
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster

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


def test_cameras_inside_look_all_around_from_the_middle_of_the_photos() -> None:
    cameras = previews.from_inside(np.array([[0.0, 0.1, 5.0], [0.1, 0.2, 0.3], [9.0, 0.3, 0.2]]), 4, moving=False)
    assert [camera.centre.tolist() for camera in cameras] == [pytest.approx([0.1, 0.2, 0.3])] * 4
    assert sum(camera.rotation[2] for camera in cameras) == pytest.approx(np.zeros(3))
    aside = cameras[0].project(np.array([[-0.9, 0.2, -0.7], [1.1, 0.2, -0.7]]))[0][:, 0]
    assert aside == pytest.approx([0, 767], abs=1)


@pytest.mark.parametrize(("y", "is_painted"), [(2.0, True), (-2.0, False)])
def test_a_picture_paints_only_the_fronts_of_faces(y: float, is_painted: bool) -> None:
    square = coloured_square()
    camera = looking_at(np.array([0.0, y, 0.1]), np.zeros(3), np.array([0.0, 0.0, 1.0]), focal=100.0, size=64)
    picture = previews.render(square, Caster(square.mesh), camera, 64).astype(int)
    assert bool(np.ptp(picture[32, 32]) > 50) is is_painted


def test_the_subject_includes_what_stands_on_its_core() -> None:
    points = np.array([[0.0, 0.0, 0.0], [0.2, 0.1, 0.2], [0.1, 0.9, 0.1], [2.0, 0.0, 2.0]])
    core = np.array([True, True, False, False])
    assert previews.subject(points, core).tolist() == points[:3].tolist()
    assert previews.subject(points, np.zeros(4, dtype=np.bool_)).tolist() == points.tolist()
