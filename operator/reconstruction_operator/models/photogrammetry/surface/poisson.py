"""Poisson program: `python -m ...poisson POINTS.ply MESH.ply DEPTH TRIM THREADS`, run by `surface`."""

from __future__ import annotations

import sys

from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap


def main(points: str, mesh: str, depth: str, trim: str, threads: str) -> None:
    """Fit COLMAP's Poisson surface to `points` (PLY with normals), and write it to `mesh`."""
    options = pycolmap.PoissonMeshingOptions()
    options.depth = int(depth)
    options.trim = float(trim)
    options.color = False
    options.num_threads = int(threads)
    pycolmap.poisson_meshing(points, mesh, options)


if __name__ == "__main__":
    main(*sys.argv[1:])
