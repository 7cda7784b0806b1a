"""Triangle mesh: normals, face selection, extents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask


@dataclass(frozen=True, eq=False, slots=True)
class Mesh:
    """Vertices (n, 3) and triangles (m, 3), counter-clockwise seen from outside."""

    vertices: Doubles
    faces: Integers

    def normals(self) -> Doubles:
        """(n, 3): unit normals of the vertices, weighted by face area."""
        corners = self.vertices[self.faces]
        face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        owners = self.faces.ravel()
        repeated = np.repeat(face_normals, 3, axis=0)
        sums = [np.bincount(owners, repeated[:, axis], len(self.vertices)) for axis in range(3)]
        normals: Doubles = np.stack(sums, axis=1).astype(np.float64)
        unit: Doubles = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(float).tiny)
        return unit

    def with_faces(self, keep: Mask) -> Mesh:
        """Return the faces where `keep` (m,) is true, and their vertices."""
        faces = self.faces[keep]
        used, renumbered = np.unique(faces, return_inverse=True)
        return Mesh(self.vertices[used], renumbered.reshape(faces.shape).astype(np.int64))


def whole_faces(mesh: Mesh, vertices: Mask) -> Mask:
    """(m,): the faces whose three vertices are all in `vertices` (n,)."""
    whole: Mask = np.asarray(vertices[mesh.faces].all(axis=1))
    return whole


def extents(points: Doubles) -> Doubles:
    """(3,): the size of the bounding box."""
    size: Doubles = points.max(axis=0) - points.min(axis=0)
    return size
