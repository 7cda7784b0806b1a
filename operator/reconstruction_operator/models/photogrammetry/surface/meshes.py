"""Triangle mesh: normals, face selection, extents, and ray casting on the CPU (Embree; Wald et al. 2014)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask

_RAYS_AT_ONCE = 1_000_000
_LIFT = 2e-3  # of the scene's diagonal: rays start at this height above the surface, to avoid self-occlusion


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
        return np.asarray(sum(self.vertices[corner] for corner in self.faces.T) / 3)

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
        used = np.zeros(len(self.vertices), dtype=np.bool_)
        used[faces] = True
        return Mesh(self.vertices[used], (np.cumsum(used) - 1)[faces])


def _unit(vectors: Doubles) -> Doubles:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny))


def whole_faces(mesh: Mesh, vertices: Mask) -> Mask:
    """(m,): the faces whose three vertices are all in `vertices` (n,)."""
    return np.asarray(vertices[mesh.faces].all(axis=1))


def extents(points: Doubles) -> Doubles:
    """(3,): the size of the bounding box."""
    return np.asarray(np.ptp(points, axis=0))


class Caster:
    """The acceleration structure of one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._scene = EmbreeScene()
        # The scene does not own its geometry, which must live as long as the scene.
        self._geometry = TriangleMesh(
            self._scene,
            np.ascontiguousarray(mesh.vertices, dtype=np.float32),
            np.ascontiguousarray(mesh.faces, dtype=np.int32),
        )
        self._lift = _LIFT * float(np.linalg.norm(extents(mesh.vertices)))

    def cast(self, origins: Doubles, directions: Doubles) -> tuple[Integers, Doubles]:
        """Return the first face (n,) on each ray, -1 for a miss, and the barycentric weights (n, 3) of its vertices
        there.

        The rays are from `origins` (n, 3) along `directions` (n, 3).
        """
        faces, weights = [], []
        for start in range(0, max(len(origins), 1), _RAYS_AT_ONCE):
            chunk = slice(start, start + _RAYS_AT_ONCE)
            hits = self._scene.run(
                np.ascontiguousarray(origins[chunk], dtype=np.float32),
                np.ascontiguousarray(directions[chunk], dtype=np.float32),
                output=1,
            )
            second = hits["u"].astype(np.float64)
            third = hits["v"].astype(np.float64)
            faces.append(hits["primID"].astype(np.int64))
            weights.append(np.stack([1.0 - second - third, second, third], axis=1))
        return np.concatenate(faces), np.concatenate(weights)

    def sees(self, points: Doubles, normals: Doubles, eye: Doubles) -> Mask:
        """(n,): whether nothing is between each surface point and `eye`."""
        start = (points + normals * self._lift).astype(np.float32)
        ends = np.ones(len(start), dtype=np.float32)  # at the eye: behind it, a room has a wall
        return np.asarray(self._scene.run(start, eye.astype(np.float32) - start, dists=ends, query="OCCLUDED") < 0)
