from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import depthmaps


def test_the_depth_between_two_planes_comes_from_a_parabola() -> None:
    inverse = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    exact = 0.33
    total = np.rint(40_000 * (inverse - exact) ** 2).astype(np.uint16).reshape(1, 1, 5)
    found, _ = depthmaps.choose_planes(total, inverse)
    assert found[0, 0] == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("next_best", "sure"),
    [pytest.param(110, False, id="nearly-as-good"), pytest.param(120, True, id="clearly-worse")],
)
def test_a_depth_is_sure_if_no_other_place_costs_nearly_as_little(next_best: int, sure: bool) -> None:
    total = np.full((1, 1, 12), 900, np.uint16)
    total[0, 0, 2:5] = [300, 100, 300]
    total[0, 0, 9] = next_best
    assert depthmaps.choose_planes(total, np.linspace(0.1, 0.5, 12))[1][0, 0] == sure
