"""Surface reconstruction by the Poisson program, in its own process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.surface import surface

from tests.support.engine.geometry import QUIET, sphere


def test_the_surface_of_a_spheres_points_is_that_sphere(tmp_path: Path) -> None:
    vertices = sphere().vertices
    mesh = surface.poisson(Cloud(vertices, vertices.copy()), tmp_path, octree_depth=5, progress=QUIET)

    radius = np.linalg.norm(mesh.vertices[np.unique(mesh.faces)], axis=1)
    assert len(mesh.faces) > 500
    assert np.percentile(np.abs(radius - 1.0), 90) < 0.03
