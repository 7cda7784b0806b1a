"""Region of interest: what several photos see, without the far background.

Photos around an object show a background that is at least as far away as the cameras on the other side. The region is
limited by the borders of the photos, and by a ball that reaches to the cameras. A ball around the object would cut the
ground into a disc. The ground may be many times larger than the object, so its detail decreases with the distance. The
region of a scene around the cameras (a room) is unlimited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, nearest_to_lines

_LEAST_CONVERGENCE = 0.05  # for `nearest_to_lines`; below it, axes are nearly parallel
_FEWEST_VIEWS = 3  # minimum number of views that see a point; one less in small sets, where few points have three
_SMALL_SET = 5  # a set with fewer photos is small
_EXTENT_PERCENTILE = 98.0  # of the points' distances; farther points are outliers
_MARGIN = 1.1  # factor beyond the outermost points
_WIDE = 1.3  # a region up to this multiple of the core's radius has the same detail everywhere
# Minimum share of the region's points in its core. With fewer, the core is empty, as inside a house that was
# photographed from outside.
_CORE_SHARE = 0.1
_COARSEST = 2  # maximum number of doublings of the detail size
# minimum distance of half of the points from the middle, relative to that of the cameras, in a scene around them
_INSIDE_SHARE = 0.85
_SAMPLE = 100_000  # maximum number of points; more do not change the region
_LEAST_SHARE = 0.25  # minimum share of the points in the region; with fewer, it is not the subject
_SCENE_PERCENTILE = 97.0  # of the points' distances in an unlimited region; farther points are background


@dataclass(frozen=True, eq=False, slots=True)
class Ball:
    """A ball in world coordinates."""

    centre: Doubles  # (3,)
    radius: float

    def contains(self, points: Doubles, scale: float = 1.0) -> Mask:
        """(n,): which of `points` (n, 3) are in the ball, scaled by `scale`."""
        inside: Mask = np.linalg.norm(points - self.centre, axis=1) <= self.radius * scale
        return inside


@dataclass(frozen=True, eq=False, slots=True)
class Region:
    """The part of the ball that at least `fewest` cameras see.

    `core` is the largest ball that about half of them see completely.
    """

    ball: Ball
    core: Ball
    cameras: tuple[Camera, ...]
    fewest: int
    about_core: bool  # whether the core is the subject of the photos

    @classmethod
    def everywhere(cls) -> Region:
        """Return the region without limits, which has the same detail everywhere."""
        return cls.of_ball(Ball(np.zeros(3), np.inf))

    @classmethod
    def of_ball(cls, ball: Ball) -> Region:
        """Return the region of all that is in the ball, whether cameras see it or not."""
        return cls(ball, ball, (), 0, about_core=False)

    def limited(self, points: Doubles) -> Region:
        """Return the region itself; if it has no limits, the ball of all `points` (n, 3) but the far background."""
        if np.isfinite(self.ball.radius):
            return self
        centre = np.median(points, axis=0)
        distances = np.linalg.norm(points - centre, axis=1)
        return Region.of_ball(Ball(centre, float(np.percentile(distances, _SCENE_PERCENTILE))))

    @property
    def radius(self) -> float:
        """The radius of its core, or of the whole if that is smaller."""
        return min(self.ball.radius, self.core.radius)

    @property
    def doublings(self) -> int:
        """How many times the core must be doubled to be as wide as the region; 0 if it is nearly as wide."""
        ratio = self.ball.radius / self.core.radius  # NaN without limits
        return int(np.ceil(np.log2(ratio))) if ratio >= _WIDE else 0

    @property
    def pixel(self) -> float:
        """The width that a pixel covers in the middle of the core, for the camera that shows most detail.

        It is 0 without cameras.
        """
        middle = self.core.centre
        widths = (float(np.linalg.norm(eye.centre - middle) / eye.intrinsics[0, 0]) for eye in self.cameras)
        return min(widths, default=0.0)

    def coarseness(self, points: Doubles) -> Doubles:
        """(n,): the relative size of details at `points` (n, 3): 1 in the core, 2 around it, 4 farther away."""
        if not self.about_core or self.doublings == 0:
            return np.ones(len(points))
        distances = np.linalg.norm(points - self.core.centre, axis=1) / self.core.radius
        most = min(self.doublings, _COARSEST)
        coarseness: Doubles = 2.0 ** np.clip(np.ceil(np.log2(np.maximum(distances, 1.0))), 0, most)
        return coarseness

    def contains(self, points: Doubles, scale: float = 1.0) -> Mask:
        """(n,): which of `points` (n, 3) are in the region, scaled by `scale`."""
        inside = self.ball.contains(points, scale)
        near = points[inside]
        views = np.zeros(len(near), dtype=np.int64)
        left = np.arange(len(near))  # points that too few cameras have seen so far
        for camera in self.cameras:
            left = left[views[left] < self.fewest]
            pixels, depths = camera.project(near[left])
            size = np.array([camera.width, camera.height])
            from_middle = np.abs(pixels - (size - 1) / 2)
            views[left] += (depths > 0) & (from_middle <= scale * size / 2).all(axis=1)
        inside[inside] = views >= self.fewest
        return inside


def of_interest(cameras: Sequence[Camera], points: Doubles) -> Region:
    """Return the region of interest: everywhere if the cameras do not converge (a facade, a flight, a panorama).

    Its centre is the point nearest to all optical axes. It reaches to the median distance of the cameras, but not
    beyond the outermost of the `points` (n, 3) inside it. Sparse points are enough.
    """
    centre = point_of_convergence(cameras)
    if centre is None:
        return Region.everywhere()
    far = float(np.median([np.linalg.norm(camera.centre - centre) for camera in cameras]))
    room = float(np.median([room_around(camera, centre) for camera in cameras]))
    if room <= 0:
        return Region.everywhere()
    core = Ball(centre, _MARGIN * room)
    fewest = _FEWEST_VIEWS if len(cameras) >= _SMALL_SET else _FEWEST_VIEWS - 1
    region = Region(Ball(centre, far), core, tuple(cameras), fewest, about_core=True)
    points = spread(points)
    inside = points[region.contains(points)]
    if len(inside) < _LEAST_SHARE * len(points):
        return Region.everywhere()
    extent = float(np.percentile(np.linalg.norm(inside - centre, axis=1), _EXTENT_PERCENTILE))
    about_core = bool(core.contains(inside).mean() >= _CORE_SHARE)
    return replace(region, ball=Ball(centre, min(far, _MARGIN * extent)), about_core=about_core)


def spread(points: Doubles) -> Doubles:
    """Return as many of `points` (n, 3), which are in spatial order, as the region needs."""
    return points[:: -(-len(points) // _SAMPLE) or 1]


def are_inside(cameras: Sequence[Camera], points: Doubles) -> bool:
    """Return whether the sparse `points` (n, 3) surround the cameras, as in a room or a courtyard."""
    centre = point_of_convergence(cameras)
    if centre is None:
        return False
    far = np.median([np.linalg.norm(camera.centre - centre) for camera in cameras])
    return bool(np.median(np.linalg.norm(points - centre, axis=1)) >= _INSIDE_SHARE * far)


def point_of_convergence(cameras: Sequence[Camera]) -> Doubles | None:
    """(3,): the point nearest to all optical axes, by least squares; None if the axes are nearly parallel."""
    centres = np.stack([camera.centre for camera in cameras])
    axes = np.stack([camera.rotation[2] for camera in cameras])
    return nearest_to_lines(centres, axes, _LEAST_CONVERGENCE)


def room_around(camera: Camera, point: Doubles) -> float:
    """Return the radius of the largest ball around `point` that is entirely in the photo; negative if `point` is
    outside.
    """
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
