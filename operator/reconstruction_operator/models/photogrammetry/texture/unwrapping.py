"""Unwrapping program: `python -m ...unwrapping MESH.npz ATLAS.npz SIZE`, run by `texture`."""

from __future__ import annotations

import sys

import numpy as np
import xatlas

_PADDING_TEXELS = 4


def main(mesh: str, atlas: str, size: str) -> None:
    """Reads vertices, faces and normals from `mesh`; writes original vertex numbers, faces and uv to `atlas`."""
    charts = xatlas.ChartOptions()
    charts.max_iterations = 1  # each further round takes as long again, for slightly better charts
    packing = xatlas.PackOptions()
    packing.resolution = int(size)
    packing.padding = _PADDING_TEXELS
    packing.bilinear = True
    unwrapped = xatlas.Atlas()
    with np.load(mesh) as given:
        unwrapped.add_mesh(given["vertices"], given["faces"], given["normals"])
    unwrapped.generate(charts, packing)
    original, faces, uv = unwrapped[0]
    np.savez(atlas, original=original, faces=faces, uv=uv)


if __name__ == "__main__":
    main(*sys.argv[1:])
