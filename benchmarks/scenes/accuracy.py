"""Accuracy of a mesh: precision, recall and their F-score at a tolerance.

Knapitsch et al. 2017, "Tanks and Temples: benchmarking large-scale scene reconstruction".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from scipy.spatial import cKDTree

from benchmarks.scenes.catalogue import Truth

TOLERANCES = (0.01, 0.0025)  # of the subject's diagonal
_SAMPLES = 200_000  # points on each mesh
_SURROUNDINGS = 0.05  # of the diagonal: floaters so near the subject's box count


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of the points, 0 to 1."""

    precision: float  # of the result, near the truth
    recall: float  # of the truth, near the result

    @property
    def f(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, np.finfo(float).tiny)


@dataclass(frozen=True, eq=False, slots=True)
class Similarity:
    """target = scale * rotation @ source + translation."""

    scale: float
    rotation: Doubles  # (3, 3)
    translation: Doubles  # (3,)

    def apply(self, points: Doubles) -> Doubles:
        """(n, 3) in the target's coordinates."""
        moved: Doubles = self.scale * points @ self.rotation.T + self.translation
        return moved


def similarity(source: Doubles, target: Doubles) -> Similarity:
    """The similarity that takes `source` (n, 3) nearest to `target` (n, 3), in the least-squares sense.

    Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns".
    """
    from_mean, to_mean = source - source.mean(axis=0), target - target.mean(axis=0)
    left, sizes, right = np.linalg.svd(to_mean.T @ from_mean)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    scale = float((sizes * signs).sum() / (from_mean**2).sum())
    return Similarity(scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0))


def scores(mesh: Mesh, truth: Truth, samples: int = _SAMPLES) -> list[Score]:
    """The scores of `mesh` (in the truth's coordinates) at each of `TOLERANCES`, by `samples` points on each surface.

    Only what is above the ground and in or near the subject's box counts.
    """
    exact = _measured(surface_points(truth.subject, samples, seed=0), truth)
    found = _measured(surface_points(mesh, samples, seed=1), truth)
    if len(found) == 0:
        return [Score(0.0, 0.0) for _ in TOLERANCES]
    limits = [tolerance * truth.diagonal for tolerance in TOLERANCES]
    to_truth, _ = cKDTree(exact).query(found, distance_upper_bound=max(limits))
    to_found, _ = cKDTree(found).query(exact, distance_upper_bound=max(limits))
    return [Score(float((to_truth <= limit).mean()), float((to_found <= limit).mean())) for limit in limits]


def surface_points(mesh: Mesh, count: int, seed: int) -> Doubles:
    """(count, 3): points evenly on the surface."""
    random = np.random.default_rng(seed)
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = corners[random.choice(len(areas), count, p=areas / areas.sum())]
    first, second = random.random((2, count, 1))
    root = np.sqrt(first)
    points: Doubles = (1 - root) * chosen[:, 0] + root * (1 - second) * chosen[:, 1] + root * second * chosen[:, 2]
    return points


def _measured(points: Doubles, truth: Truth) -> Doubles:
    margin = _SURROUNDINGS * truth.diagonal
    low, high = truth.subject.vertices.min(axis=0) - margin, truth.subject.vertices.max(axis=0) + margin
    low[2] = truth.lowest
    kept: Doubles = points[((points >= low) & (points <= high)).all(axis=1)]
    return kept
