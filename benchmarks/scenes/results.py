"""Results: meshes of the engine in the coordinates of their scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from benchmarks.scenes.catalogue import Truth


class Placed:
    """The result in a folder, in the coordinates of the truth, by aligning the cameras."""

    def __init__(self, folder: Path, truth: Truth) -> None:
        photos = json.loads((folder / "cameras.json").read_text())["photos"]
        exact = dict(zip(truth.photos, truth.centres, strict=True))
        positions, centres = np.array([(photo["position"], exact[photo["name"]]) for photo in photos]).swapaxes(0, 1)
        self._folder = folder
        self._similarity: Any = pycolmap.estimate_sim3d(positions, centres)
        self.error = float(
            np.linalg.norm(self._similarity * positions - centres, axis=1).mean()
        )  # mean, of the cameras

    def advised(self) -> list[tuple[Doubles, Doubles]]:
        """Return the advised standpoints: where each is, and what it looks at."""
        entries = json.loads((self._folder / "advice.json").read_text())["standpoints"]
        pairs = [(np.array(entry["position"]), np.array(entry["direction"]) * entry["distance"]) for entry in entries]
        return [tuple(self._similarity * np.stack([eye, eye + sight])) for eye, sight in pairs]

    def mesh(self, name: str) -> tuple[Mesh, Any]:
        """Return the mesh in that GLB, and trimesh's visual with its texture."""
        loaded = trimesh.load_mesh(self._folder / name, process=False)
        vertices = self._similarity * np.asarray(loaded.vertices, dtype=np.float64)
        return Mesh(vertices, np.asarray(loaded.faces, dtype=np.int64)), loaded.visual
