"""Georeference: finds scale, direction and place of a scene on Earth, from the GPS positions of its photos.

It is the least-squares similarity that maps the cameras to their positions (Umeyama 1991, "Least-squares estimation of
transformation parameters between two point patterns"). It is used only if the cameras are far apart compared with the
errors of GPS.

Heights are assumed to be ellipsoidal (WGS 84).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.interface import Placement
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask
from reconstruction_operator.models.photogrammetry.placing.upright import Frame, Held
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

_FEWEST_POSITIONS = 4
_LEAST_WIDTH_M = 5.0  # minimum extent across the longest, root mean square: a line leaves its rotation open
_LEAST_WIDTH = 0.1  # the same, relative to the longest extent
_WORST_RESIDUAL = 0.15  # maximum, relative to the spread of the positions; above it, GPS is too coarse for the scene
_OUTLIER = 4.0  # maximum residual, relative to the median; positions above it are ignored
_EXACT_M = 0.01  # a residual up to this is never an outlier
# Minimum extent across, root mean square: in a smaller scene, an altitude that drifts by metres tilts up by many
# degrees.
_WIDE_M = 40.0
_TRIALS = 200
_SEED = 0
_REACH_DEG = 10.0  # maximum angle between the ground's normal and up, since the ground may slope
_EARTH = pycolmap.GPSTransform(pycolmap.GPSTransformEllipsoid.WGS84)


@dataclass(frozen=True, eq=False, slots=True)
class Georeference:
    """The transformation to metres east, north and up of `origin`: scale * rotation @ world + translation."""

    origin: Doubles  # (3,): latitude and longitude in degrees (WGS 84), altitude in metres
    scale: float  # m
    rotation: Doubles  # (3, 3)
    translation: Doubles  # (3,)
    width_m: float = np.inf  # extent of the positions across their longest extent, root mean square

    @property
    def is_wide(self) -> bool:
        """Whether the positions determine up better than level cameras do, as in most flights."""
        return self.width_m >= _WIDE_M

    @property
    def held(self) -> Held:
        """The up direction in world coordinates."""
        return Held(self.rotation[2], _REACH_DEG)

    def placement(self, frame: Frame) -> Placement:
        """Return the placement of the model: its origin is the place, and its coordinates are those of `frame`."""
        here = self.scale * self.rotation @ frame.origin + self.translation
        latitude, longitude, altitude = place = from_local(here, self.origin)
        turned = _axes(place) @ _axes(self.origin).T @ self.rotation @ frame.rotation.T
        return Placement(
            float(latitude),
            float(longitude),
            float(altitude),
            self.scale / frame.scale,
            tuple(float(number) for number in turned.ravel()),
        )


def find(cameras: Sequence[Camera], places: Sequence[tuple[float, float, float] | None]) -> Georeference | None:
    """Return the georeference of the cameras, from the known `places` (latitude, longitude, altitude); None if
    undetermined.
    """
    placed = [(camera.centre, place) for camera, place in zip(cameras, places, strict=True) if place is not None]
    if len(placed) < _FEWEST_POSITIONS:
        return None
    centres = np.stack([centre for centre, _ in placed])
    positions = np.array([place for _, place in placed])
    origin: Doubles = np.median(positions, axis=0)
    metres = to_local(positions, origin)
    if not _is_determined(centres, least=0.0):
        return None
    inliers = _without_outliers(centres, metres)
    if inliers.sum() < _FEWEST_POSITIONS or not _is_determined(metres[inliers]):
        return None
    scale, rotation, translation = _similarity(centres[inliers], metres[inliers])
    residuals = scale * centres[inliers] @ rotation.T + translation - metres[inliers]
    spread = metres[inliers] - metres[inliers].mean(axis=0)
    if np.linalg.norm(residuals) > _WORST_RESIDUAL * np.linalg.norm(spread):
        return None
    return Georeference(origin, scale, rotation, translation, _widths(metres[inliers])[1])


def _without_outliers(centres: Doubles, metres: Doubles) -> Mask:
    """Return which positions agree with the best similarity of three positions (least median of squares, Rousseeuw
    1984).
    """
    random = np.random.default_rng(_SEED)
    best, least = np.ones(len(metres), dtype=np.bool_), np.inf
    for _ in range(_TRIALS):
        chosen = random.choice(len(metres), 3, replace=False)
        scale, rotation, translation = _similarity(centres[chosen], metres[chosen])
        residuals = np.linalg.norm(scale * centres @ rotation.T + translation - metres, axis=1)
        if (median := float(np.median(residuals))) < least:
            best, least = residuals <= max(_OUTLIER * median, _EXACT_M), median
    return best


def _is_determined(points: Doubles, least: float = _LEAST_WIDTH_M) -> bool:
    """Return whether `points` (n, 3) extend at least `least` in a second direction."""
    along, across = _widths(points)
    return across >= max(least, _LEAST_WIDTH * along) and across > 0


def _widths(points: Doubles) -> tuple[float, float]:
    """Return the two largest extents of `points` (n, 3), each as a root mean square."""
    along, across, _ = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(len(points))
    return float(along), float(across)


def _similarity(source: Doubles, target: Doubles) -> tuple[float, Doubles, Doubles]:
    """Return scale, rotation and translation that map `source` (n, 3) to `target` by least squares."""
    from_middle = source - source.mean(axis=0)
    to_middle = target - target.mean(axis=0)
    left, sizes, right = np.linalg.svd(to_middle.T @ from_middle)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation: Doubles = (left * signs) @ right
    scale = float((sizes * signs).sum() / (from_middle**2).sum())
    translation: Doubles = target.mean(axis=0) - scale * rotation @ source.mean(axis=0)
    return scale, rotation, translation


def to_local(places: Doubles, origin: Doubles) -> Doubles:
    """(n, 3): metres east, north and up of `origin`.

    `places` (n, 3) are latitude and longitude in degrees, and height in metres.
    """
    moved: Doubles = _EARTH.ellipsoid_to_enu(places, *origin)
    return moved


def from_local(metres: Doubles, origin: Doubles) -> Doubles:
    """(3,): the place that is `metres` (3,) east, north and up of `origin`."""
    place: Doubles = _EARTH.enu_to_ellipsoid(metres[None], *origin)[0]
    return place


def _axes(origin: Doubles) -> Doubles:
    """(3, 3): east, north and up at `origin` as rows, in the coordinates of the Earth."""
    latitude, longitude = np.radians(origin[:2])
    sin_lat = np.sin(latitude)
    cos_lat = np.cos(latitude)
    sin_lon = np.sin(longitude)
    cos_lon = np.cos(longitude)
    return np.array(
        [
            [-sin_lon, cos_lon, 0.0],
            [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        ]
    )
