from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.surface.raycast import Caster

from tests.support.engine.geometry import sphere


def test_a_point_on_the_far_side_is_hidden() -> None:
    poles = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    assert Caster(sphere()).sees(poles, poles, np.array([0.0, 0.0, 5.0])).tolist() == [True, False]


def test_hit_has_the_face_and_barycentric_weights() -> None:
    hits = Caster(sphere()).cast(np.array([[0.1, 0.2, 5.0], [3.0, 0.0, 5.0]]), np.array([[0.0, 0.0, -1.0]] * 2))
    met = np.einsum("c,cx->x", hits.weights[0], sphere().vertices[sphere().faces[hits.face[0]]])
    assert met == pytest.approx([0.1, 0.2, 0.974], abs=0.01)
    assert hits.face[1] == -1
