"""Surface reconstruction by the Poisson program, in its own process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.surface import surface

from tests.support.engine.geometry import sphere


def test_the_surface_of_a_spheres_points_is_that_sphere(tmp_path: Path) -> None:
    vertices = sphere().vertices
    heard: list[float] = []
    progress = StageProgress(lambda _, fraction, _text="": heard.append(fraction), Step.RECONSTRUCT)
    mesh = surface.poisson(Cloud(vertices, vertices.copy()), tmp_path, octree_depth=5, progress=progress)
    assert heard == [0.0, 1.0]

    radius = np.linalg.norm(mesh.vertices[np.unique(mesh.faces)], axis=1)
    assert len(mesh.faces) > 500
    assert np.percentile(np.abs(radius - 1.0), 90) < 0.03
