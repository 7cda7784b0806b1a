"""Pinhole camera: projection and rays. Pixel centres are at whole numbers, as in OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles

_NEAREST_DEPTH = 1e-9


_Floats = TypeVar("_Floats", Doubles, Singles)


@dataclass(frozen=True, slots=True)
class Radial:
    """The distortion of a lens along the radius: x (1 + first r^2 + second r^4), in units of the focal length."""

    first: float = 0.0
    second: float = 0.0  # 0 for most lenses

    @property
    def coefficients(self) -> Doubles:
        """(4,): for OpenCV, whose others are 0."""
        return np.array([self.first, self.second, 0.0, 0.0])

    def bent(self, straight: _Floats, focal: float = 1.0) -> _Floats:
        """(n, 2): where the lens shows what it would show at `straight` (n, 2) without distortion, from the principal
        point.
        """
        squared = (straight**2).sum(axis=1, keepdims=True) / focal**2
        bent: _Floats = straight + straight * squared * (self.first + self.second * squared)
        return bent


STRAIGHT: Final = Radial()
"""No distortion."""


@dataclass(frozen=True, eq=False, slots=True)
class Camera:
    """A camera without distortion; in camera coordinates x is right, y is down, z is forward."""

    intrinsics: Doubles  # (3, 3): focal lengths and principal point in px
    rotation: Doubles  # (3, 3): camera = rotation @ world + translation
    translation: Doubles  # (3,)
    width: int  # px
    height: int  # px

    @property
    def lens(self) -> tuple[float, float, float]:
        """Focal length, and column and row of the principal point, in px."""
        focal, column, row = self.intrinsics[[0, 0, 1], [0, 2, 2]].tolist()
        return focal, column, row

    @property
    def centre(self) -> Doubles:
        """(3,): the position in world coordinates."""
        return -self.rotation.T @ self.translation

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera of the same photo at another size."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        to_corner = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
        intrinsics = np.linalg.inv(to_corner) @ scale @ to_corner @ self.intrinsics
        return Camera(intrinsics, self.rotation, self.translation, width, height)

    def project(self, points: Doubles) -> tuple[Doubles, Doubles]:
        """Return pixels (n, 2) and depths (n,) of world points (n, 3); a depth of 0 or less is behind the camera."""
        homogeneous = self.homogeneous(points)
        depth = homogeneous[:, 2]
        pixels = homogeneous[:, :2] / np.maximum(depth, _NEAREST_DEPTH)[:, None]
        return pixels, depth

    def homogeneous(self, points: Doubles) -> Doubles:
        """(n, 3): pixels of world points (n, 3), multiplied by depth, and the depth, all linear in the points."""
        homogeneous: Doubles = points @ (self.intrinsics @ self.rotation).T + self.intrinsics @ self.translation
        return homogeneous

    def transfer(self, other: Camera) -> tuple[Doubles, Doubles]:
        """Return `first` (3, 3) and `second` (3,), which map pixels of this camera to the photo of `other`.

        The homogeneous pixel there is `first @ (x, y, 1) + second / depth`. Its last component is the depth there,
        relative to the depth here.
        """
        rotation = other.rotation @ self.rotation.T
        translation = other.translation - rotation @ self.translation
        infinite: Doubles = other.intrinsics @ rotation @ np.linalg.inv(self.intrinsics)
        return infinite, other.intrinsics @ translation

    def seen_by(self, other: Camera, inverse: Singles) -> tuple[Singles, Singles, Singles]:
        """Return column, row and depth, relative to the depth here, of each pixel's point in the photo of `other`, all
        (h, w).

        `inverse` (h, w) is the inverse depth of each pixel here. A point behind `other` is far outside its photo.
        """
        infinite, parallax = (numbers.astype(np.float32) for numbers in self.transfer(other))
        columns = np.arange(self.width, dtype=np.float32)
        rows = np.arange(self.height, dtype=np.float32)[:, None]
        x, y, share = (
            row[0] * columns + (row[1] * rows + row[2]) + shift * inverse
            for row, shift in zip(infinite, parallax, strict=True)
        )
        share = np.maximum(share, np.finfo(np.float32).eps)
        return x / share, y / share, share

    def rays(self) -> Doubles:
        """(height * width, 3): the world direction of each pixel, row by row, scaled to depth 1.

        The world point of a pixel with depth z is `centre + z * ray`.
        """
        columns, rows = np.meshgrid(np.arange(self.width), np.arange(self.height))
        pixels = np.stack([columns.ravel(), rows.ravel(), np.ones(columns.size)], axis=1)
        to_world: Doubles = np.linalg.inv(self.intrinsics).T @ self.rotation
        directions: Doubles = pixels.astype(np.float64) @ to_world
        return directions


def pinhole(focal: float, column: float, row: float) -> Doubles:
    """(3, 3): the intrinsics of that focal length and principal point in px."""
    return np.array([[focal, 0.0, column], [0.0, focal, row], [0.0, 0.0, 1.0]])


def reduced_camera(camera: Camera, size: int) -> Camera:
    """Return the camera of the same photo, reduced to at most `size` px on the longer side."""
    scale = min(1.0, size / max(camera.width, camera.height))
    width = round(camera.width * scale)
    height = round(camera.height * scale)
    return camera if (width, height) == (camera.width, camera.height) else camera.resized(width, height)


def looking_at(eye: Doubles, target: Doubles, up: Doubles, *, focal: float, size: int) -> Camera:
    """Return a square camera of `size` px at `eye`, with `target` in the middle of the picture."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    rotation = np.stack([right, down, forward])
    middle = (size - 1) / 2
    return Camera(pinhole(focal, middle, middle), rotation, -rotation @ eye, size, size)


def nearest_to_lines(starts: Doubles, directions: Doubles, least: float) -> Doubles | None:
    """(3,): the point nearest to lines through `starts` (n, 3) along unit vectors (n, 3), by least squares.

    None if the lines are nearly parallel: the smallest eigenvalue of the mean of I - d d^T is below `least`.
    """
    across = (
        np.eye(3) - directions[:, :, None] * directions[:, None, :]
    )  # projects onto the plane perpendicular to each
    total = across.sum(axis=0)
    if np.linalg.eigvalsh(total)[0] < least * len(starts):
        return None
    nearest: Doubles = np.linalg.solve(total, (across @ starts[:, :, None]).sum(axis=0)[:, 0])
    return nearest
