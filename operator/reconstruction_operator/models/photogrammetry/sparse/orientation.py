"""Model coordinates: +Y up, standing on the ground, centred, in a box of side 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.surface.meshes import extents

_PLANE_TRIALS = 300
_PLANE_SAMPLE = 20_000  # points in the RANSAC; more do not change the result
_PLANE_THICKNESS = 0.01  # of the scene's diagonal
_PLANE_SHARE = 0.25  # of the points on the plane; with fewer there is no ground
_STEEPEST_DEG = 50.0  # between the plane's normal and the cameras' mean up; a steeper plane is a wall


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """Model = scale * rotation @ (world - origin)."""

    rotation: Doubles  # (3, 3)
    origin: Doubles  # (3,)
    scale: float

    def apply(self, points: Doubles) -> Doubles:
        """World points (n, 3) in the model's coordinates."""
        moved: Doubles = (points - self.origin) @ self.rotation.T * self.scale
        return moved


def find(points: Doubles, cameras: Sequence[Camera], seed: int) -> Frame:
    """The frame of a model whose surface is `points` (n, 3), seen by `cameras`. Front is where the first camera is."""
    up = _up(points, cameras, seed)
    front = cameras[0].centre - np.median(points, axis=0)
    front = front - up * (front @ up)
    front /= max(float(np.linalg.norm(front)), np.finfo(float).tiny)
    rotation = np.stack([np.cross(up, front), up, front])
    turned = points @ rotation.T
    middle = (turned.max(axis=0) + turned.min(axis=0)) / 2
    return Frame(rotation, rotation.T @ middle, 1.0 / float(extents(turned).max()))


def _up(points: Doubles, cameras: Sequence[Camera], seed: int) -> Doubles:
    """Unit vector: the normal of the ground if one is found, else the cameras' mean up."""
    cameras_up = -np.mean([camera.rotation[1] for camera in cameras], axis=0)
    cameras_up /= np.linalg.norm(cameras_up)
    normal = ground_normal(points, cameras_up, seed)
    return cameras_up if normal is None else normal


def ground_normal(points: Doubles, roughly_up: Doubles, seed: int) -> Doubles | None:
    """The unit normal of the largest nearly level plane in `points` (RANSAC; Fischler and Bolles 1981), or None."""
    random = np.random.default_rng(seed)
    sample = points[random.choice(len(points), min(len(points), _PLANE_SAMPLE), replace=False)]
    thickness = _PLANE_THICKNESS * float(np.linalg.norm(extents(sample)))
    level = np.cos(np.radians(_STEEPEST_DEG))
    best: Doubles | None = None
    most = _PLANE_SHARE * len(sample)
    for _ in range(_PLANE_TRIALS):
        first, second, third = sample[random.choice(len(sample), 3, replace=False)]
        normal = np.cross(second - first, third - first)
        length = np.linalg.norm(normal)
        if length == 0 or abs(normal @ roughly_up) < level * length:
            continue
        normal /= length
        on_plane = np.abs((sample - first) @ normal) < thickness
        if on_plane.sum() > most:
            most = float(on_plane.sum())
            best = _plane_normal(sample[on_plane])
    if best is None:
        return None
    return best if best @ roughly_up > 0 else -best


def _plane_normal(points: Doubles) -> Doubles:
    """The unit normal of the least-squares plane through `points`."""
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    normal: Doubles = axes[2]
    return normal
