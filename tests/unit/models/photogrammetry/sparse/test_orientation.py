from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.sparse import orientation
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at


def tilted_scene() -> tuple[np.ndarray, np.ndarray]:
    """Ground with something on it, in a coordinate system that knows nothing of up; and which way up is."""
    random = np.random.default_rng(1)
    ground = random.uniform(-1, 1, (3000, 3)) * [1.0, 0.003, 1.0]
    thing = random.uniform(-0.2, 0.2, (1000, 3)) + np.array([0.1, 0.25, 0.0])
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return np.concatenate([ground, thing]) @ turn.T * 7.0 + 3.0, turn @ [0.0, 1.0, 0.0]


def test_ground_is_found_with_a_tilted_camera() -> None:
    points, up = tilted_scene()
    roughly = up + np.array([0.2, -0.15, 0.1])
    normal = orientation.ground_normal(points, roughly / np.linalg.norm(roughly), seed=0)
    assert normal == pytest.approx(up, abs=0.01)


def test_a_wall_is_not_taken_for_the_ground() -> None:
    points, up = tilted_scene()
    sideways = np.cross(up, [0.3, 0.2, 0.9])
    assert orientation.ground_normal(points, sideways / np.linalg.norm(sideways), seed=0) is None


def test_model_frame_is_upright_centred_and_of_side_one() -> None:
    points, up = tilted_scene()
    level = np.cross(up, [0.3, 0.2, 0.9])
    eye = points.mean(axis=0) + up * 8 + level / np.linalg.norm(level) * 20
    camera = looking_at(eye, points.mean(axis=0), up, focal=500.0, size=400)
    frame = orientation.find(points, [camera], seed=0)
    model = frame.apply(points)
    assert (model.max(axis=0) - model.min(axis=0)).max() == pytest.approx(1.0)
    assert model.max(axis=0) == pytest.approx(-model.min(axis=0))
    assert frame.rotation @ up == pytest.approx([0.0, 1.0, 0.0], abs=0.02)
    assert np.linalg.det(frame.rotation) == pytest.approx(1.0)
    viewer = frame.apply(eye[None])[0]
    assert viewer[2] > abs(viewer[0])  # the first camera is in front
