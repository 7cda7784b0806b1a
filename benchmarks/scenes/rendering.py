"""Rendering: a photo of a painted mesh, with light from one side, sensor noise and JPEG's losses
(ray casting, no GPU).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels, Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

from benchmarks.scenes.paint import Paint

_SAMPLES = ((-0.25, -0.25), (0.25, 0.25))  # px: offsets of each pixel's rays
_LIGHT = np.array([0.5, -0.3, 0.8]) / np.linalg.norm([0.5, -0.3, 0.8])
_LAMP = np.array([0.4, -0.6, -0.7]) / np.linalg.norm([0.4, -0.6, -0.7])  # of a studio, as a camera sees it
_AMBIENT, _DIRECT = 0.5, 0.5
_SKY = np.array([0.80, 0.86, 0.92], dtype=np.float32)  # plain, so that it has no features
_CLOTH = np.array([0.02, 0.02, 0.02], dtype=np.float32)  # behind a subject in a studio
_NOISE_LEVELS = 2.0  # of 255: standard deviation
_JPEG_QUALITY = 93


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """A mesh with its paint.

    In a studio it turns before a black cloth, so camera and lamp stand still, and its shading moves over it.
    """

    mesh: Mesh
    caster: Caster
    normals: Doubles  # (vertices, 3)
    paint: Paint
    in_studio: bool = False

    @classmethod
    def of(cls, mesh: Mesh, paint: Paint, *, in_studio: bool = False) -> Subject:
        """Return the mesh, ready for rays."""
        return cls(mesh, Caster(mesh), mesh.normals(), paint, in_studio)


def photo(subject: Subject, camera: Camera, seed: int) -> Pixels:
    """Return a photo (height, width, 3), RGB; `seed` is for the sensor noise."""
    total = np.zeros((camera.height * camera.width, 3), dtype=np.float32)
    for across, down in _SAMPLES:
        total += _sample(subject, part(camera, across, down, camera.width, camera.height)) / len(_SAMPLES)
    levels = 255 * total.reshape(camera.height, camera.width, 3)
    levels += np.random.default_rng(seed).normal(0.0, _NOISE_LEVELS, levels.shape)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def save(path: Path, picture: Pixels) -> None:
    """Write `picture` (RGB) as a JPEG."""
    encoded = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), encoded, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
        raise OSError(f"{path} cannot be written")


def _sample(subject: Subject, camera: Camera) -> Singles:
    """Return the colour (height * width, 3) along each ray."""
    rays = camera.rays()
    face, weights = subject.caster.cast(np.broadcast_to(camera.centre, rays.shape), rays)
    colours = np.tile(_CLOTH if subject.in_studio else _SKY, (len(rays), 1))
    light = camera.rotation.T @ _LAMP if subject.in_studio else _LIGHT
    hit = face >= 0
    corners, weights = subject.mesh.faces[face[hit]], weights[hit]
    points = np.einsum("nc,ncx->nx", weights, subject.mesh.vertices[corners])
    normals = np.einsum("nc,ncx->nx", weights, subject.normals[corners])
    lit = np.clip(normals @ light / np.linalg.norm(normals, axis=1), 0.0, 1.0)
    colours[hit] = subject.paint(points) * (_AMBIENT + _DIRECT * lit)[:, None]
    return colours


def part(camera: Camera, left: float, top: float, width: int, height: int) -> Camera:
    """Return the camera of a part of its picture, `left` and `top` px from the corner; negative ones go beyond the
    picture.
    """
    focal, column, row = camera.lens
    return replace(camera, intrinsics=pinhole(focal, column - left, row - top), width=width, height=height)
