from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.placing import frames


def test_model_frame_is_upright_centred_and_of_side_one() -> None:
    random = np.random.default_rng(1)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    points, up = random.uniform(-1, 1, (500, 3)) * [1.0, 0.3, 0.8] @ turn.T * 7.0 + 3.0, turn[:, 1]
    level = np.cross(up, [0.3, 0.2, 0.9])
    eye = points.mean(axis=0) + up * 8 + level / np.linalg.norm(level) * 20
    frame = frames.make(points, up, eye)
    model = frame.apply(points)
    assert (model.max(axis=0) - model.min(axis=0)).max() == pytest.approx(1.0)
    assert model.max(axis=0) == pytest.approx(-model.min(axis=0))
    assert frame.rotation @ up == pytest.approx([0.0, 1.0, 0.0])
    assert np.linalg.det(frame.rotation) == pytest.approx(1.0)
    viewer = frame.apply(eye[None])[0]
    assert viewer[2] > abs(viewer[0])  # the eye is in front
