"""GLB export (glTF 2.0, binary): +Y up, centred, in a box of side 1."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels, Singles
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

_JPEG_QUALITY = 90


def write_coloured(path: Path, mesh: Mesh, colours: Singles) -> None:
    """`mesh` (in the model's coordinates) with `colours` (vertices, 3), RGB 0 to 255."""
    vertex_colors = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=vertex_colors, process=False).export(path)


def write_textured(path: Path, mesh: Mesh, uv: Doubles, texture: Pixels) -> None:
    """`mesh` (in the model's coordinates) with `texture` (h, w, 3); `uv` (vertices, 2) from the upper left."""
    encoded = io.BytesIO()
    Image.fromarray(texture).save(encoded, "JPEG", quality=_JPEG_QUALITY)
    material = trimesh.visual.material.PBRMaterial(  # type: ignore[no-untyped-call]  # trimesh has types in part
        baseColorTexture=Image.open(encoded), metallicFactor=0.0, roughnessFactor=1.0
    )
    from_lower_left = np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1)  # trimesh flips v for glTF
    visual = trimesh.visual.TextureVisuals(  # type: ignore[no-untyped-call]  # the same
        uv=from_lower_left, material=material
    )
    trimesh.Trimesh(mesh.vertices, mesh.faces, visual=visual, process=False).export(path)
