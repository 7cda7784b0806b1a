from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense import refinement
from reconstruction_operator.models.photogrammetry.dense.views import GreyView
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

INTRINSICS = np.array([[120.0, 0.0, 39.5], [0.0, 120.0, 29.5], [0.0, 0.0, 1.0]])
SLOPE = np.array([0.8, 0.2, 1.0])  # a plane: SLOPE @ point = DISTANCE
DISTANCE = 2.3
STEP = 0.02


def photo_of_the_slope(x: float) -> GreyView:
    """Taken at (x, 0, 0), looking along z."""
    camera = Camera(INTRINSICS, np.eye(3), np.array([-x, 0.0, 0.0]), 80, 60)
    points = camera.centre + camera.rays() / inverse_depths(camera)[:, None]
    across, down = points[:, 0], points[:, 1]
    waves = np.sin(31 * across + 5 * down) + np.sin(23 * down - 9 * across + 1) + np.sin(47 * across * down + 17 * down)
    return GreyView((0.5 + waves / 8).astype(np.float32).reshape(60, 80), camera)


def inverse_depths(camera: Camera) -> Doubles:
    exact: Doubles = camera.rays() @ SLOPE / (DISTANCE - SLOPE @ camera.centre)
    return exact


REFERENCE = photo_of_the_slope(0.0)
EXACT = inverse_depths(REFERENCE.camera).reshape(60, 80).astype(np.float32)


@pytest.mark.parametrize("off", [-1.6, 0.4, 1.8])
def test_the_depth_of_a_slope_is_found_from_a_coarse_one(off: float) -> None:
    sources = [photo_of_the_slope(-0.2), photo_of_the_slope(0.2)]
    inverses, costs, _ = refinement.refined(REFERENCE, sources, EXACT + np.float32(off * STEP), STEP)
    middle = np.s_[6:-6, 20:-20]
    assert np.median(np.abs(inverses - EXACT)[middle]) < 0.1 * STEP
    assert np.median(costs[middle]) < 0.05


def test_smoothing_removes_noise_and_keeps_the_edge() -> None:
    step: Singles = np.full((40, 60), 0.3, np.float32)
    step[:, 30:] = 0.5
    noisy = step + np.random.default_rng(0).normal(0, STEP, step.shape).astype(np.float32)
    smooth = refinement.smoothed(noisy, STEP)
    assert np.abs(smooth - step).max() < 3 * STEP
    assert np.std(smooth - step) < 0.3 * STEP
