"""Geometry: meshes, cameras and photos for tests of the photogrammetry engine."""

from __future__ import annotations

from typing import Final

import numpy as np
import trimesh
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers
from reconstruction_operator.models.photogrammetry.output import glb
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import STRAIGHT, Camera, Radial, looking_at
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

RED, BLUE = (200.0, 30.0, 20.0), (20.0, 30.0, 200.0)


def ignore(step: Step, fraction: float, message: str = "", **_: object) -> None:
    """Ignore a report of progress."""


QUIET: Final = StageProgress(ignore, Step.POSTPROCESS)


def sphere(subdivisions: int = 4, radius: float = 1.0) -> Mesh:
    """Return a sphere around 0."""
    solid = trimesh.creation.icosphere(subdivisions, radius)
    return Mesh(np.asarray(solid.vertices, dtype=np.float64), np.asarray(solid.faces, dtype=np.int64))


def joined(*meshes: Mesh) -> Mesh:
    """Return one mesh of these pieces."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def sheet(count: int = 41) -> Mesh:
    """Return a square from -1 to 1 at y = 0."""
    line = np.linspace(-1.0, 1.0, count)
    x, z = np.meshgrid(line, line)
    vertices = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], axis=1)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + count, corner + 1], axis=1),
            np.stack([corner + 1, corner + count, corner + count + 1], axis=1),
        ]
    )
    return Mesh(vertices, faces)


def camera(x: float, z: float) -> Camera:
    """Return a camera of 300 px at (x, 0, z) that looks at 0."""
    up = np.array([0.0, 1.0, 0.0])
    return looking_at(np.array([x, 0.0, z]), np.zeros(3), up, focal=300.0, size=300)


def photo_of(
    camera: Camera, name: str, seen: Integers, pixels: Doubles | None = None, *, radial: Radial = STRAIGHT
) -> AlignedPhoto:
    """Return a photo of the camera that shows the points `seen` at `pixels` (default: all 0)."""
    return AlignedPhoto(
        name=name,
        camera=camera,
        radial=radial,
        seen=seen,
        pixels=np.zeros((len(seen), 2)) if pixels is None else pixels,
    )


def coloured_square() -> glb.Textured:
    """Return a square at y = 0, red for x < 0 and blue for x > 0."""
    corners: Doubles = np.array([[-0.5, 0.0, -0.5], [0.5, 0.0, -0.5], [0.5, 0.0, 0.5], [-0.5, 0.0, 0.5]])
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = RED, BLUE
    uv = corners[:, [0, 2]] + 0.5
    mesh = Mesh(corners, np.array([[0, 2, 1], [0, 3, 2]]))
    return glb.Textured(mesh, mesh.normals(), uv, picture)
