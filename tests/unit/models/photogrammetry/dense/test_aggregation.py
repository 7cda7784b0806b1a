from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import aggregation


@pytest.mark.parametrize("diagonals", [False, True])
def test_aggregation_corrects_an_isolated_outlier(diagonals: bool) -> None:
    costs = np.full((9, 11, 8), 500, np.uint16)
    costs[:, :, 3] = 100
    costs[4, 5] = 500
    costs[4, 5, 7] = 60  # noise
    total = aggregation.aggregate(costs, np.zeros((9, 11), np.float32), diagonals=diagonals)
    assert (total.argmin(axis=2) == 3).all()


def test_aggregation_keeps_a_depth_step_at_an_edge_of_the_photo() -> None:
    costs = np.full((10, 20, 8), 400, np.uint16)
    costs[:, :10, 1] = 0
    costs[:, 10:, 6] = 0
    grey = np.zeros((10, 20), np.float32)
    grey[:, 10:] = 1.0
    best = aggregation.aggregate(costs, grey, diagonals=True).argmin(axis=2)
    assert (best[:, :10] == 1).all()
    assert (best[:, 10:] == 6).all()
