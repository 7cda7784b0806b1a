from __future__ import annotations

import numpy as np
from reconstruction_operator.models.photogrammetry.surface.raycast import Caster

from tests.support.engine.geometry import sphere


def test_a_point_on_the_far_side_is_hidden() -> None:
    poles = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    assert Caster(sphere()).sees(poles, poles, np.array([0.0, 0.0, 5.0])).tolist() == [True, False]
