from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import depthmaps


def test_the_depth_between_two_planes_comes_from_a_parabola() -> None:
    inverse = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    exact = 0.33
    total = np.rint(40_000 * (inverse - exact) ** 2).astype(np.uint16).reshape(1, 1, 5)
    depths = depthmaps.choose_depths(np.zeros_like(total), total, np.ones((1, 1), np.float32), inverse)
    assert depths[0, 0] == pytest.approx(1 / exact, rel=1e-3)
