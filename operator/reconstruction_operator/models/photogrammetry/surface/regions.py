"""Region of interest: what several photos see, without the far background.

Photos around an object show it against what lies behind it, which is as far away as the cameras on the other side, or farther. The
borders of the photos bound what is kept, and not the background's distance: a ball just around the object would cut its ground round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

_LEAST_CONVERGENCE = 0.05  # smallest eigenvalue of the mean of I - d d^T: below it the axes are nearly parallel
_FEWEST_VIEWS = 3  # that see a point; in sets of less than five photos, which cover little thrice, one less
_SMALL_SET = 5  # photos
_MOST_ROOM = 2.0  # times the largest ball that a photo shows whole; more ground would take the texture from the object
_EXTENT_PERCENTILE = 98.0  # of the points' distances; the rest are stray
_MARGIN = 1.1  # beyond the outermost points
_LEAST_SHARE = 0.25  # of the points; a region with fewer is not that of interest


@dataclass(frozen=True, eq=False, slots=True)
class Ball:
    """A ball in world coordinates."""

    centre: Doubles  # (3,)
    radius: float

    def contains(self, points: Doubles, scale: float = 1.0) -> Mask:
        """(n,): which of `points` (n, 3) are in the ball, `scale` times as large."""
        inside: Mask = np.linalg.norm(points - self.centre, axis=1) <= self.radius * scale
        return inside


@dataclass(frozen=True, eq=False, slots=True)
class Region:
    """What at least `fewest` of the cameras see, inside the ball; in `core` is what most of them look at."""

    ball: Ball
    core: Ball
    cameras: tuple[Camera, ...]
    fewest: int

    @property
    def radius(self) -> float:
        """Of the ball."""
        return self.ball.radius

    def contains(self, points: Doubles, scale: float = 1.0) -> Mask:
        """(n,): which of `points` (n, 3) are in the region, `scale` times as large."""
        inside = self.ball.contains(points, scale)
        near = points[inside]
        views = np.zeros(len(near), dtype=np.int64)
        left = np.arange(len(near))  # those that too few cameras have seen so far
        for camera in self.cameras:
            left = left[views[left] < self.fewest]
            pixels, depths = camera.project(near[left])
            size = np.array([camera.width, camera.height])
            from_middle = np.abs(pixels - (size - 1) / 2)
            views[left] += (depths > 0) & (from_middle <= scale * size / 2).all(axis=1)
        inside[inside] = views >= self.fewest
        return inside


def of_interest(cameras: Sequence[Camera], points: Doubles) -> Region | None:
    """The region of interest, or None if the cameras do not converge (a facade, a flight, a panorama).

    Its centre is nearest to all optical axes. It reaches as far as half of the cameras are, or twice as far as half of the photos show
    all around, but not beyond the outermost of `points` (n, 3) that it holds: sparse ones do.
    """
    centre = point_of_convergence(cameras)
    if centre is None:
        return None
    distance = float(np.median([np.linalg.norm(camera.centre - centre) for camera in cameras]))
    room = float(np.median([room_around(camera, centre) for camera in cameras]))
    if room <= 0:
        return None
    far, core = min(distance, _MOST_ROOM * room), Ball(centre, _MARGIN * room)
    fewest = _FEWEST_VIEWS if len(cameras) >= _SMALL_SET else _FEWEST_VIEWS - 1
    region = Region(Ball(centre, far), core, tuple(cameras), fewest)
    kept = region.contains(points)
    if kept.mean() < _LEAST_SHARE:
        return None
    extent = float(np.percentile(np.linalg.norm(points[kept] - centre, axis=1), _EXTENT_PERCENTILE))
    return Region(Ball(centre, min(far, _MARGIN * extent)), core, tuple(cameras), fewest)


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
