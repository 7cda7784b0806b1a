"""Results: meshes of the engine in the coordinates of their scene."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.surface import cleanup, surface
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from scipy.spatial import cKDTree

from benchmarks.scenes.catalogue import Truth

_NEIGHBOURS = 12  # points for each normal
_SPARSE_DEPTH = 8  # of the octree
_OUTLIER = 3.0  # times the median distance to the neighbours


def mesh(folder: Path) -> Mesh:
    """Return the mesh of the result in `folder`."""
    loaded = trimesh.load_mesh(folder / "model_full.glb", process=False)
    return Mesh(np.asarray(loaded.vertices, dtype=np.float64), np.asarray(loaded.faces, dtype=np.int64))


def sparse_surface(folder: Path) -> Mesh:
    """Return a surface through the sparse points alone of the result in `folder`, made as the engine makes surfaces."""
    reconstruction = pycolmap.Reconstruction(folder / "colmap")
    points3d = list(reconstruction.points3D.values())
    points = np.array([point.xyz for point in points3d])
    first_images = [reconstruction.images[point.track.elements[0].image_id] for point in points3d]
    eyes = np.array([image.projection_center() for image in first_images])
    distances, nearest = cKDTree(points).query(points, _NEIGHBOURS)
    spacing = distances.mean(axis=1)
    kept = spacing < _OUTLIER * np.median(spacing)
    around = points[nearest] - points[nearest].mean(axis=1, keepdims=True)
    normals = np.linalg.svd(around, full_matrices=False)[2][:, 2]
    away = (normals * (eyes - points)).sum(axis=1) < 0
    normals[away] *= -1
    with tempfile.TemporaryDirectory() as scratch:
        quiet = StageProgress(_ignore, Step.RECONSTRUCT)
        cloud = Cloud(points[kept], normals[kept])
        made = surface.poisson(cloud, Path(scratch), octree_depth=_SPARSE_DEPTH, progress=quiet)
    return cleanup.without_extrapolation(made, cloud.points, float(np.median(spacing)))


def aligned(result: Mesh, folder: Path, truth: Truth) -> tuple[Mesh, float]:
    """Return `result`, from the run in `folder`, in the coordinates of `truth`, by aligning the cameras, and their mean error there."""
    photos = json.loads((folder / "cameras.json").read_text())["photos"]
    exact = dict(zip(truth.photos, truth.centres, strict=True))
    positions, centres = np.array([(photo["position"], exact[photo["name"]]) for photo in photos]).swapaxes(0, 1)
    similarity: Any = pycolmap.estimate_sim3d(positions, centres)
    error = float(np.linalg.norm(similarity * positions - centres, axis=1).mean())
    return Mesh(similarity * result.vertices, result.faces), error


def _ignore(step: Step, fraction: float, message: str = "", *, resumed: str = "") -> None:
    """Show no progress."""
