"""Region of interest: the ball around the point that the cameras look at, as large as most photos show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

_LEAST_CONVERGENCE = 0.05  # smallest eigenvalue of the mean of I - d d^T: below it the axes are nearly parallel
_MARGIN = 1.15  # factor on the radius that half of the photos show whole, for objects that just fill the picture
_LEAST_SHARE = 0.25  # of the points; a ball with fewer is not the region of interest


@dataclass(frozen=True, eq=False, slots=True)
class Ball:
    """A ball in world coordinates."""

    centre: Doubles  # (3,)
    radius: float

    def contains(self, points: Doubles, scale: float = 1.0) -> Mask:
        """(n,): which of `points` (n, 3) are in the ball, `scale` times as large."""
        inside: Mask = np.linalg.norm(points - self.centre, axis=1) <= self.radius * scale
        return inside


def of_interest(cameras: Sequence[Camera], points: Doubles) -> Ball | None:
    """The region of interest, or None if the cameras do not converge (a facade, a flight, a panorama).

    Its centre is nearest to all optical axes; half of the photos show it whole, or nearly.
    """
    centre = point_of_convergence(cameras)
    if centre is None:
        return None
    radius = _MARGIN * float(np.median([room_around(camera, centre) for camera in cameras]))
    if radius <= 0:
        return None
    ball = Ball(centre, radius)
    return ball if ball.contains(points).mean() >= _LEAST_SHARE else None


def point_of_convergence(cameras: Sequence[Camera]) -> Doubles | None:
    """(3,): nearest to all optical axes in the least-squares sense; None if they are nearly parallel."""
    axes = np.stack([camera.rotation[2] for camera in cameras])
    centres = np.stack([camera.centre for camera in cameras])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]  # projects onto the plane across each axis
    total = across.sum(axis=0)
    if np.linalg.eigvalsh(total)[0] < _LEAST_CONVERGENCE * len(cameras):
        return None
    nearest: Doubles = np.linalg.solve(total, (across @ centres[:, :, None]).sum(axis=0)[:, 0])
    return nearest


def room_around(camera: Camera, point: Doubles) -> float:
    """Radius of the largest ball around `point` that is entirely in the photo; negative if `point` is not."""
    x, y, z = camera.rotation @ point + camera.translation
    focal_x, focal_y = camera.intrinsics[0, 0], camera.intrinsics[1, 1]
    left, top = camera.intrinsics[0, 2], camera.intrinsics[1, 2]
    right, bottom = camera.width - 1 - left, camera.height - 1 - top
    sides = [
        (focal_x * x + left * z) / np.hypot(focal_x, left),
        (right * z - focal_x * x) / np.hypot(focal_x, right),
        (focal_y * y + top * z) / np.hypot(focal_y, top),
        (bottom * z - focal_y * y) / np.hypot(focal_y, bottom),
    ]
    return float(min(sides))
