"""Ray casting on the CPU (Embree; Wald et al. 2014): first hits, and visibility of points from a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh, extents

_RAYS_AT_ONCE = 1_000_000
_LIFT = 2e-3  # of the scene's diagonal: rays start at this height above the surface, to avoid self-occlusion


@dataclass(frozen=True, eq=False, slots=True)
class Hits:
    """First hits of rays."""

    face: Integers  # (n,): -1 for a miss
    weights: Doubles  # (n, 3): barycentric, of the face's three vertices


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

    def cast(self, origins: Doubles, directions: Doubles, farthest: float = np.inf) -> Hits:
        """Return the first hits of rays from `origins` (n, 3) along `directions` (n, 3), to `farthest` times their lengths."""
        faces, weights = [], []
        for start in range(0, max(len(origins), 1), _RAYS_AT_ONCE):
            chunk = slice(start, start + _RAYS_AT_ONCE)
            hits = self._scene.run(
                np.ascontiguousarray(origins[chunk], dtype=np.float32),
                np.ascontiguousarray(directions[chunk], dtype=np.float32),
                dists=np.full(len(origins[chunk]), farthest, dtype=np.float32),
                output=1,
            )
            second, third = hits["u"].astype(np.float64), hits["v"].astype(np.float64)
            faces.append(hits["primID"].astype(np.int64))
            weights.append(np.stack([1.0 - second - third, second, third], axis=1))
        return Hits(np.concatenate(faces), np.concatenate(weights))

    def sees(self, points: Doubles, normals: Doubles, eye: Doubles) -> Mask:
        """(n,): whether nothing is between each surface point and `eye`."""
        start = points + normals * self._lift
        return self.cast(start, eye - start, farthest=1.0).face < 0  # behind the eye, a room has a wall
