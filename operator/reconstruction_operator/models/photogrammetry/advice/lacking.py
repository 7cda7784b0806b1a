"""Lacking surface: what the photos do not show well, as points.

A photo shows a point by a share of 1 if it looks at it at an angle of up to 37 degrees to the normal, and by less and
less up to 81 degrees: flat photos give uncertain depth and a smeared texture. A point lacks photos if the shares sum to
less than three. So do points where there is no surface at all: of the convex hull of the subject, far from its surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask, Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh, extents

ENOUGH = 3.0  # photos from the front that show a point
_FRONTAL_COSINE = 0.8  # of the angle between line of sight and normal, from which on a photo counts fully
_LEAST_COSINE = 0.15  # flatter ones show nothing, as in `colour`
_POINTS = 6_000  # most of the surface that are weighed
_HULL_POINTS = 2_000
_GAP = 0.04  # of the diagonal: minimum distance of a point of the hull from the surface
_LOWEST_NORMAL = -0.3  # vertical part of a normal; what looks further down is on the ground


@dataclass(frozen=True, eq=False, slots=True)
class Lacking:
    """Points that lack photos."""

    points: Doubles  # (n, 3)
    normals: Doubles  # (n, 3)
    areas: Doubles  # (n,)
    shares: Doubles  # (n,): by how many photos each is shown, less than ENOUGH
    total: float  # area of the whole subject, with that which lacks nothing

    def joined(self, other: Lacking) -> Lacking:
        """Return the points of both."""
        points, normals, areas, shares = (
            np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("points", "normals", "areas", "shares")
        )
        return Lacking(points, normals, areas, shares, self.total + other.total)

    def where(self, keep: Mask) -> Lacking:
        """Return those of the points."""
        return Lacking(self.points[keep], self.normals[keep], self.areas[keep], self.shares[keep], self.total)

    def shown_by(self, camera: Camera, caster: Caster) -> Singles:
        """(n,): the share by which a photo of that camera would show each point."""
        pixels, depths = camera.project(self.points)
        inside = (pixels >= 0).all(axis=1) & (pixels <= [camera.width - 1, camera.height - 1]).all(axis=1)
        cosines = _cosines(self.points, self.normals, camera)
        candidate = np.flatnonzero((depths > 0) & inside & (cosines > _LEAST_COSINE))
        seen = candidate[caster.sees(self.points[candidate], self.normals[candidate], camera.centre)]
        shares = np.zeros(len(self.points), dtype=np.float32)  # small: of hundreds of cameras at a time
        shares[seen] = _shares(cosines[seen])
        return shares


def of_surface(mesh: Mesh, weights: Singles, subject: Mask, cameras: Sequence[Camera]) -> Lacking:
    """Return vertices of the subject that lack photos.

    `weights` (n, cameras) are positive where a photo shows a vertex of `mesh`, `subject` (n,) is its part to look at:
    all, if it is empty.
    """
    normals = mesh.normals()
    areas: Doubles = np.bincount(mesh.faces.ravel(), np.repeat(mesh.areas() / 3, 3), len(mesh.vertices)).astype(float)
    measured = np.flatnonzero((subject if subject.any() else ~subject) & (normals[:, 1] > _LOWEST_NORMAL))
    some = measured[:: -(-len(measured) // _POINTS) or 1]
    shares = np.zeros(len(some))
    for index, camera in enumerate(cameras):
        cosines = _cosines(mesh.vertices[some], normals[some], camera)
        shares += np.where(weights[some, index] > 0, _shares(cosines), 0.0)
    total = float(areas[measured].sum())
    scale = total / max(float(areas[some].sum()), np.finfo(float).tiny)
    return Lacking(mesh.vertices[some], normals[some], areas[some] * scale, shares, total).where(shares < ENOUGH)


def of_hull(mesh: Mesh, subject: Mask, cameras: Sequence[Camera], caster: Caster) -> Lacking:
    """Return points of the convex hull of the subject that are far from all surface and lack photos."""
    corners = mesh.vertices[subject] if subject.any() else mesh.vertices
    nothing = Lacking(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0), 0.0)
    try:
        hull = ConvexHull(corners)
    except (QhullError, ValueError):  # a plane, or too few points
        return nothing
    areas = Mesh(corners, hull.simplices.astype(np.int64)).areas()
    random = np.random.default_rng(0)
    face = random.choice(len(areas), _HULL_POINTS, p=areas / areas.sum())
    corner_weights = random.dirichlet(np.ones(3), _HULL_POINTS)
    points = np.einsum("nc,ncx->nx", corner_weights, corners[hull.simplices[face]])
    normals = hull.equations[face, :3]  # outwards
    distances, _ = cKDTree(mesh.vertices).query(points)
    far = (distances > _GAP * np.linalg.norm(extents(corners))) & (normals[:, 1] > _LOWEST_NORMAL)
    each = np.full(_HULL_POINTS, float(areas.sum()) / _HULL_POINTS)
    gap = Lacking(points, normals, each, np.zeros(_HULL_POINTS), 0.0).where(far)
    for camera in cameras:
        gap.shares[:] += gap.shown_by(camera, caster) > 0  # that nothing is there shows at flat angles, too
    gap = gap.where(gap.shares < ENOUGH)
    return Lacking(gap.points, gap.normals, gap.areas, gap.shares, float(gap.areas.sum()))


def _cosines(points: Doubles, normals: Doubles, camera: Camera) -> Doubles:
    """(n,): of the angle between each line of sight and the normal."""
    towards = camera.centre - points
    lengths = np.maximum(np.linalg.norm(towards, axis=1), np.finfo(float).tiny)
    return np.asarray((towards * normals).sum(axis=1) / lengths)


def _shares(cosines: Doubles) -> Doubles:
    return np.asarray(np.clip((cosines - _LEAST_COSINE) / (_FRONTAL_COSINE - _LEAST_COSINE), 0.0, 1.0))
