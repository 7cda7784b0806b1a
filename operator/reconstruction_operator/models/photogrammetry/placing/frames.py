"""Model coordinates: +Y up, standing on the ground, centred, in a box of side 1 or in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.surface.meshes import extents


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


def make(points: Doubles, up: Doubles, eye: Doubles) -> Frame:
    """Return the frame of a model with the surface `points` (n, 3). Its front faces the camera at `eye` (3,)."""
    front = eye - np.median(points, axis=0)
    front = front - up * (front @ up)
    front /= max(float(np.linalg.norm(front)), np.finfo(float).tiny)
    rotation = np.stack([np.cross(up, front), up, front])
    turned = points @ rotation.T
    middle = (turned.max(axis=0) + turned.min(axis=0)) / 2
    return Frame(rotation, rotation.T @ middle, 1.0 / float(extents(turned).max()))
