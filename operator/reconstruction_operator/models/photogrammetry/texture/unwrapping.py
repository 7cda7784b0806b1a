"""Unwrapping program: `python -m ...unwrapping MESH.npz ATLAS.npz SIZE`, run by `texture`."""

from __future__ import annotations

import sys

import numpy as np
import xatlas

_PADDING_TEXELS = 4


def main(mesh: str, atlas: str, size: str) -> None:
    """Read vertices, faces, normals and coarseness from `mesh`; write original vertex numbers, faces and uv to `atlas`."""
    charts = xatlas.ChartOptions()
    charts.max_iterations = 1  # each further round takes the same time, for slightly better charts
    packing = xatlas.PackOptions()
    packing.resolution = int(size)
    packing.padding = _PADDING_TEXELS
    packing.bilinear = True
    unwrapped = xatlas.Atlas()
    with np.load(mesh) as arrays:
        vertices, faces, normals, coarseness = (arrays[name] for name in ("vertices", "faces", "normals", "coarseness"))
    levels = np.unique(coarseness)
    used = []
    for level in levels:
        vertices_used, renumbered = np.unique(faces[coarseness == level], return_inverse=True)
        # Texels are proportional to the area, so where details are larger, a smaller copy is unwrapped.
        copy = (vertices[vertices_used] / level).astype(np.float32)
        unwrapped.add_mesh(copy, renumbered.reshape(-1, 3).astype(np.uint32), normals[vertices_used])
        used.append(vertices_used)
    unwrapped.generate(charts, packing)
    originals, places = [], []
    cut = np.empty(faces.shape, dtype=np.int64)
    count = 0
    for number, level in enumerate(levels):
        original, triangles, uv = unwrapped[number]
        cut[coarseness == level] = triangles.astype(np.int64) + count  # in the order of `faces`
        originals.append(used[number][original])
        places.append(uv)
        count += len(original)
    np.savez(atlas, original=np.concatenate(originals), faces=cut, uv=np.concatenate(places))


if __name__ == "__main__":
    main(*sys.argv[1:])
