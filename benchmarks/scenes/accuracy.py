"""Accuracy: precision, recall and F-score of a mesh at a tolerance.

Knapitsch et al. 2017, "Tanks and Temples: benchmarking large-scale scene reconstruction".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from scipy.spatial import cKDTree

from benchmarks.scenes.catalogue import Truth

TOLERANCES = (0.01, 0.0025)  # of the subject's diagonal
_MEASURED = 100_000  # maximum number of points of each surface to measure
_POINTS_WITHIN = (
    30.0  # points within the smallest tolerance, so that distances to points are nearly those to the surface
)
_SURROUNDINGS = 0.05  # of the diagonal: floaters this close to the subject's box count


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of points, 0 to 1."""

    precision: float  # share of the result near the truth
    recall: float  # share of the truth near the result

    @property
    def f(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, np.finfo(float).tiny)


def scores(mesh: Mesh, truth: Truth, tolerances: Sequence[float] = TOLERANCES) -> list[Score]:
    """Return the scores of `mesh` (in the truth's coordinates) at each of `tolerances`.

    Only surface above the ground and in or near the subject's box counts. Both surfaces become points of the same
    density, which does not depend on surface outside the box.
    """
    limits = [tolerance * truth.diagonal for tolerance in tolerances]
    density = _POINTS_WITHIN / (np.pi * min(limits) ** 2)
    low, high = _box(truth)
    exact, measured = (
        _within(surface_points(_near(surface, low, high), density, seed), low, high)
        for seed, surface in enumerate((truth.subject, mesh))
    )
    if len(measured) == 0:
        return [Score(0.0, 0.0) for _ in tolerances]
    to_truth = _distances(measured, exact, max(limits))
    to_measured = _distances(exact, measured, max(limits))
    return [Score(float((to_truth <= limit).mean()), float((to_measured <= limit).mean())) for limit in limits]


def surface_points(mesh: Mesh, density: float, seed: int) -> Doubles:
    """Return points (n, 3) evenly on the surface, `density` per unit of area."""
    if len(mesh.faces) == 0:
        return np.zeros((0, 3))
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    points: Doubles = trimesh.sample.sample_surface(surface, int(surface.area * density), seed=seed)[0]
    return points


def _distances(points: Doubles, surface: Doubles, most: float) -> Doubles:
    """Return distances (n,) of some of `points` from the points of `surface`; infinite beyond `most`."""
    tree = cKDTree(surface, compact_nodes=False, balanced_tree=False)
    distances: Doubles = tree.query(points[:: -(-len(points) // _MEASURED)], distance_upper_bound=most)[0]
    return distances


def _box(truth: Truth) -> tuple[Doubles, Doubles]:
    """Return the lower and upper corner, (3,) each, of the measured box."""
    margin = _SURROUNDINGS * truth.diagonal
    low = truth.subject.vertices.min(axis=0) - margin
    high = truth.subject.vertices.max(axis=0) + margin
    low[2] = truth.lowest
    return low, high


def _near(mesh: Mesh, low: Doubles, high: Doubles) -> Mesh:
    """Return the faces that may reach into the box."""
    corners = mesh.vertices[mesh.faces]
    return mesh.with_faces(((corners.max(axis=1) >= low) & (corners.min(axis=1) <= high)).all(axis=1))


def _within(points: Doubles, low: Doubles, high: Doubles) -> Doubles:
    kept: Doubles = points[((points >= low) & (points <= high)).all(axis=1)]
    return kept
