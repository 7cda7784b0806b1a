"""Poisson program: `python -m ...poisson POINTS.ply MESH.ply DEPTH`, run by `surface`."""

from __future__ import annotations

import sys

from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap


def main(points: str, mesh: str, depth: str) -> None:
    """Fit COLMAP's Poisson surface to `points` (PLY with normals), and write it to `mesh`."""
    options = pycolmap.PoissonMeshingOptions()
    options.depth = int(depth)
    options.trim = 0.0  # `cleanup` removes extrapolated surface
    options.color = False
    options.num_threads = 1  # waiting OpenMP threads spin: two are no faster and use five times the CPU
    pycolmap.poisson_meshing(points, mesh, options)


if __name__ == "__main__":
    main(*sys.argv[1:])
