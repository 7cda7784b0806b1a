"""Depth refinement: finds a finer depth of each pixel, among a few depths around a coarse one.

The depths follow the coarse surface. So a window is on the slope of the surface instead of facing the camera (Bleyer,
Rhemann and Rother 2011, "PatchMatch stereo: stereo matching with slanted support windows").
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense import correlation
from reconstruction_operator.models.photogrammetry.dense.correlation import Window
from reconstruction_operator.models.photogrammetry.dense.views import GreyView
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

_COARSE_PX = 480  # up to this size, the small window is used
_FINE_WINDOW_PX = 7  # reduces noise in finer photos, whose pixels cover less
_REACH = 2  # steps on either side of the coarse depth; a wider search finds as many wrong depths as right ones
_STEP_COST = np.float32(0.002)  # for each step away from the coarse depth; decides where the photo is flat
_SMOOTHING_PX = 5  # diameter of the edge-preserving filter
_SMOOTHING_STEPS = 4.0  # difference in steps that counts as an edge


def refined(
    reference: GreyView, sources: Sequence[GreyView], coarse: Singles, step: float
) -> tuple[Singles, Singles, Singles]:
    """Return inverse depths, costs (0 to 2) and the grey variance of each pixel's window, all (h, w).

    `coarse` (h, w) is the inverse depth to start from; the result is at most 2 `step` away from it.
    """
    fine = reference.camera.width > _COARSE_PX
    window = Window.of(reference.grey, _FINE_WINDOW_PX if fine else correlation.SMALL_WINDOW_PX)
    start = smoothed(coarse, step)
    shifts = [_Shifts(reference.camera, source, start, step) for source in sources]
    steps = range(-_REACH, _REACH + 1)
    costs = np.stack([correlation.of_best_two(window.cost(shift.warped(by)) for shift in shifts) for by in steps])
    winner = (costs + _STEP_COST * np.abs(np.array(steps, dtype=np.float32))[:, None, None]).argmin(axis=0)
    inside = np.clip(winner, 1, 2 * _REACH - 1)[None]
    before, at, after = (np.take_along_axis(costs, inside + offset, axis=0)[0] for offset in (-1, 0, 1))
    curvature = np.maximum(before - 2 * at + after, np.finfo(np.float32).eps)
    offset = np.clip((before - after) / (2 * curvature), -1, 1)
    inverses = start + (inside[0] - _REACH + offset).astype(np.float32) * np.float32(step)
    return inverses, at, window.variance


def smoothed(inverse: Singles, step: float) -> Singles:
    """Return `inverse` without noise, with its edges."""
    even = cv2.medianBlur(inverse, 5)
    return np.asarray(cv2.bilateralFilter(even, _SMOOTHING_PX, _SMOOTHING_STEPS * step, _SMOOTHING_PX), np.float32)


class _Shifts:
    """Coordinates of the pixels of `camera` in the photo of `source`, for inverse depths around `start`."""

    def __init__(self, camera: Camera, source: GreyView, start: Singles, step: float) -> None:
        self._grey = source.grey
        self._x, self._y, z = camera.seen_by(source.camera, start)
        # Over a few steps, pixels move almost linearly.
        near = camera.transfer(source.camera)[1].astype(np.float32)
        scale = np.float32(step) / z
        self._dx, self._dy = (near[0] - near[2] * self._x) * scale, (near[1] - near[2] * self._y) * scale

    def warped(self, steps: int) -> Singles:
        """Return the source's photo, warped to the camera, for depths `steps` away from the start."""
        warped = cv2.remap(
            self._grey,
            self._x + steps * self._dx,
            self._y + steps * self._dy,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=correlation.OUTSIDE,
        )
        return np.asarray(warped, dtype=np.float32)
