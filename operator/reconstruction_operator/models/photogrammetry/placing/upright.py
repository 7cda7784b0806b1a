"""Upright model: finds which way is up in a scene, from the poses of its cameras and from its ground, and the
coordinates of the model.

People and drones hold cameras level: the x axes of all photos are horizontal, in whatever direction the cameras look.
So up is the direction most perpendicular to these axes (Szeliski 2006, "Image alignment and stitching", on
straightening panoramas). If the gimbal pitch of a photo is known, it determines up by itself. The ground refines the
result. In the coordinates of the model, +Y is up; it is centred, in a box of side 1 or in metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, nearest_to_lines
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh, extents

_LEAST_SPREAD = 0.03  # minimum second eigenvalue of the mean of x x^T; below it, cameras turn less than about 35°
_CLEARLY_SMALLER = 0.25  # maximum ratio of the smallest eigenvalue to the second; above it, up is undetermined
_ROUNDS = 10  # of reweighting, which reduces the weight of photos that are not level
_ASKEW = 0.01  # sine of the angle up to which a photo has full weight
_LEAST_SIGN = 0.35  # minimum mean cosine between the cameras' up and up; below it, the cameras' view decides
_LEAST_AGREEMENT = 0.95  # minimum length of the mean of the photos' up directions by gimbal
_LEAST_PITCHES = 3
_LEAST_CONVERGENCE = 0.05  # for `nearest_to_lines`; below it, the cameras look at no object
_FLATTEST_RING = 0.1  # maximum extent along the axis of a ring of cameras, relative to that across, both squared
_ROUNDEST_RING = 0.2  # minimum extent of a ring, relative to the largest, both squared; smaller ones are arcs

_REACH_DEG = 25.0  # maximum angle between the ground's normal and up by the cameras; steeper planes are roofs or walls
_WIDE_REACH_DEG = 50.0  # the same if the cameras do not determine up
_LEAST_FACADE = 0.5  # of the area of walls, by which those of a facade face one way; around an object they cancel out

_PLANE_TRIALS = 300
_PLANE_SAMPLE = 20_000  # points for RANSAC; more do not change the result
_PLANE_THICKNESS = 0.01  # as a share of the scene's diagonal
_PLANE_SHARE = 0.25  # minimum share of the points on the plane; with fewer, there is no ground
_BELOW_SHARE = 0.1  # maximum share of the points below the plane, since nothing is below the ground


@dataclass(frozen=True, eq=False, slots=True)
class Held:
    """Up by the cameras alone. `reach_deg` is the maximum angle between up and the ground's normal."""

    up: Doubles  # (3,), of length 1
    reach_deg: float

    @property
    def is_determined(self) -> bool:
        """Whether the cameras determine more than a mean up direction."""
        return self.reach_deg < _WIDE_REACH_DEG


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """The plane on which a scene stands: `normal @ point == height`."""

    normal: Doubles  # (3,), of length 1, upwards
    height: float


def held(cameras: Sequence[Camera], pitches_deg: Sequence[float | None]) -> Held:
    """Return up by the cameras; `pitches_deg` are the gimbal pitches of the cameras, where known."""
    return by_gimbal(cameras, pitches_deg) or by_cameras(cameras)


def by_cameras(cameras: Sequence[Camera]) -> Held:
    """Return the direction most perpendicular to the cameras' x axes, or the mean up of the cameras if that is
    undetermined.
    """
    axes = np.stack([camera.rotation[0] for camera in cameras])
    smallest, second, _ = np.linalg.eigvalsh(axes.T @ axes / len(axes))
    if second < _LEAST_SPREAD or smallest > _CLEARLY_SMALLER * second:
        axis = _ring_axis(cameras)
        return Held(_mean_up(cameras) if axis is None else axis, _WIDE_REACH_DEG)
    weights = np.ones(len(axes))
    for _ in range(_ROUNDS):
        _, vectors = np.linalg.eigh((axes * weights[:, None]).T @ axes)
        up: Doubles = vectors[:, 0]
        weights = 1.0 / np.maximum(np.abs(axes @ up), _ASKEW)
    return Held(_signed(up, cameras), _REACH_DEG)


def by_gimbal(cameras: Sequence[Camera], pitches_deg: Sequence[float | None]) -> Held | None:
    """Return up by the gimbal pitches (0: level, -90: straight down), if at least half of the photos have one and they
    agree.
    """
    pitched = [
        (camera, np.radians(pitch)) for camera, pitch in zip(cameras, pitches_deg, strict=True) if pitch is not None
    ]
    if len(pitched) < max(_LEAST_PITCHES, len(cameras) / 2):
        return None
    mean = np.mean(
        [np.sin(pitch) * camera.rotation[2] - np.cos(pitch) * camera.rotation[1] for camera, pitch in pitched], axis=0
    )
    length = float(np.linalg.norm(mean))
    return Held(mean / length, _REACH_DEG) if length >= _LEAST_AGREEMENT else None


def ground(points: Doubles, held: Held, seed: int) -> Ground | None:
    """Return the largest nearly level plane in `points` (n, 3) with hardly any below (RANSAC; Fischler and Bolles
    1981), or None.
    """
    random = np.random.default_rng(seed)
    sample = points[random.choice(len(points), min(len(points), _PLANE_SAMPLE), replace=False)]
    thickness = _PLANE_THICKNESS * float(np.linalg.norm(extents(sample)))
    level = np.cos(np.radians(held.reach_deg))
    best: Mask | None = None
    most = _PLANE_SHARE * len(sample)
    for _ in range(_PLANE_TRIALS):
        first, second, third = sample[random.choice(len(sample), 3, replace=False)]
        normal = np.cross(second - first, third - first)
        length = np.linalg.norm(normal)
        if length == 0 or abs(normal @ held.up) < level * length:
            continue
        heights = (sample - first) @ (normal / length * np.sign(normal @ held.up))
        on_plane = np.abs(heights) < thickness
        if on_plane.sum() > most and (heights < -thickness).mean() < _BELOW_SHARE:
            most = float(on_plane.sum())
            best = on_plane
    if best is None:
        return None
    middle = sample[best].mean(axis=0)
    _, _, axes = np.linalg.svd(sample[best] - middle, full_matrices=False)  # the last is the least-squares normal
    normal = axes[2] if axes[2] @ held.up > 0 else -axes[2]
    return Ground(normal, float(normal @ middle))


def _ring_axis(cameras: Sequence[Camera]) -> Doubles | None:
    """Return the axis of cameras around an object, upwards, which is up if they all lie on their side; None if they are
    on no ring.
    """
    centres = np.stack([camera.centre for camera in cameras])
    away = centres - centres.mean(axis=0)
    (smallest, second, largest), vectors = np.linalg.eigh(away.T @ away)
    views = np.stack([camera.rotation[2] for camera in cameras])
    middle = nearest_to_lines(centres, views, _LEAST_CONVERGENCE)
    if middle is None or smallest > _FLATTEST_RING * second or second < _ROUNDEST_RING * largest:
        return None
    axis: Doubles = vectors[:, 0]
    return axis if (centres.mean(axis=0) - middle) @ axis > 0 else -axis  # people look down at objects


def _signed(axis: Doubles, cameras: Sequence[Camera]) -> Doubles:
    """Return `axis` or its opposite: up for the cameras, or opposite to their view if they look straight down."""
    up = -float(np.mean([camera.rotation[1] @ axis for camera in cameras]))
    against = -float(np.mean([camera.rotation[2] @ axis for camera in cameras]))
    return axis if (up if abs(up) >= _LEAST_SIGN else against) > 0 else -axis


def _mean_up(cameras: Sequence[Camera]) -> Doubles:
    """Return the mean up of the cameras, of length 1, or the opposite of their view if they look straight down."""
    up = -np.mean([camera.rotation[1] for camera in cameras], axis=0)
    against = -np.mean([camera.rotation[2] for camera in cameras], axis=0)
    chosen = up if np.linalg.norm(up) >= _LEAST_SIGN else against
    unit: Doubles = chosen / max(float(np.linalg.norm(chosen)), np.finfo(float).tiny)
    return unit


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """The transformation to model coordinates: model = scale * rotation @ (world - origin)."""

    rotation: Doubles  # (3, 3)
    origin: Doubles  # (3,)
    scale: float

    def apply(self, points: Doubles) -> Doubles:
        """Return world points (n, 3) in model coordinates."""
        moved: Doubles = (points - self.origin) @ self.rotation.T * self.scale
        return moved


def front(mesh: Mesh, up: Doubles, eye: Doubles) -> Doubles:
    """(3,): where the front of the model faces: where a facade does, or else towards the camera at `eye` (3,)."""
    areas = mesh.areas()
    normals = mesh.face_normals()
    level = normals - np.outer(normals @ up, up)
    mean = areas @ level
    if np.linalg.norm(mean) > _LEAST_FACADE * (areas @ np.linalg.norm(level, axis=1)):
        return np.asarray(mean)
    return np.asarray(eye - np.median(mesh.vertices, axis=0))


def frame(points: Doubles, up: Doubles, front: Doubles) -> Frame:
    """Return the frame of a model with the surface `points` (n, 3). Its front faces along `front` (3,)."""
    front = front - up * (front @ up)
    front /= max(float(np.linalg.norm(front)), np.finfo(float).tiny)
    rotation = np.stack([np.cross(up, front), up, front])
    turned = points @ rotation.T
    middle = (turned.max(axis=0) + turned.min(axis=0)) / 2
    return Frame(rotation, rotation.T @ middle, 1.0 / float(extents(turned).max()))
