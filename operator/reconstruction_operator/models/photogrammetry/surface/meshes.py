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
        owners = self.faces.ravel()
        repeated = np.repeat(self._crosses(), 3, axis=0)
        sums = [np.bincount(owners, repeated[:, axis], len(self.vertices)) for axis in range(3)]
        return _unit(np.stack(sums, axis=1).astype(np.float64))

    def middles(self) -> Doubles:
        """(m, 3): the middles of the faces."""
        return np.asarray(self.vertices[self.faces].mean(axis=1))

    def face_normals(self) -> Doubles:
        """(m, 3): unit normals of the faces."""
        return _unit(self._crosses())

    def areas(self) -> Doubles:
        """(m,): the areas of the faces."""
        return np.asarray(np.linalg.norm(self._crosses(), axis=1) / 2)

    def _crosses(self) -> Doubles:
        """(m, 3): the normals of the faces, as long as twice their areas."""
        first, second, third = (self.vertices[corner] for corner in self.faces.T)
        return np.asarray(np.cross(second - first, third - first))

    def with_faces(self, keep: Mask) -> Mesh:
        """Return the faces where `keep` (m,) is true, and their vertices."""
        faces = self.faces[keep]
        used, renumbered = np.unique(faces, return_inverse=True)
        return Mesh(self.vertices[used], renumbered.reshape(faces.shape).astype(np.int64))


def _unit(vectors: Doubles) -> Doubles:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny))


def whole_faces(mesh: Mesh, vertices: Mask) -> Mask:
    """(m,): the faces whose three vertices are all in `vertices` (n,)."""
    whole: Mask = np.asarray(vertices[mesh.faces].all(axis=1))
    return whole


def extents(points: Doubles) -> Doubles:
    """(3,): the size of the bounding box."""
    size: Doubles = points.max(axis=0) - points.min(axis=0)
    return size
