"""Surface reconstruction: fits a surface to points with normals.

Kazhdan and Hoppe 2013, "Screened Poisson surface reconstruction".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Pixels
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud, thinned
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.poisson import fit
from reconstruction_operator.models.photogrammetry.surface.regions import Region

_SCENE_MARGIN = 1.1  # factor; points slightly outside stabilise the surface inside
# By depth of the octree, for about one point in each cell
_VOXELS_ACROSS_RADIUS = {5: 20, 6: 40, 7: 60, 8: 160, 9: 220, 10: 480}
_FEWEST_PIXELS = 1.2  # of a depth map, across a cell; finer cells fit the noise
_DEEPEST = 13  # maximum depth of the octree, COLMAP's default
_FINER = 0.7  # factor, since the dense points may cover less than the sparse ones


@dataclass(frozen=True, eq=False, slots=True)
class Samples(Cloud):
    """The points to which the surface is fitted: about one for each cell of the octree."""

    cell: float  # side of a cell
    octree_depth: int
    spread: Doubles  # (m, 3): some points of the dense cloud, which determine the region
    dense_points: int  # number in the dense cloud


def crop(cloud: Cloud, region: Region) -> Cloud:
    """Return the points in `region`, never the far background of all points, which would make the octree coarse.

    Raises ModelFailure (NO_DENSE_SURFACE).
    """
    if len(cloud.points) < quality_gates.DENSE_POINTS.limit:
        raise ModelFailure(
            "NO_DENSE_SURFACE",
            f"the photos agree on only {len(cloud.points)} points of the surface, at least "
            f"{quality_gates.DENSE_POINTS.limit:g} are "
            "needed: shiny, transparent or plain surfaces have none",
        )
    inside = region.limited(cloud.points).contains(cloud.points, _SCENE_MARGIN)
    return Cloud(cloud.points[inside], cloud.normals[inside])


def cell_size(points: Doubles, region: Region, octree_depth: int) -> float:
    """Return slightly less than the side of a cell of the octree, for a scene of `points`. Sparse points are enough."""
    return _FINER * _cell(region.limited(points).radius, region, octree_depth)[0]


def _cell(radius: float, region: Region, octree_depth: int) -> tuple[float, int]:
    """Return the side of a cell for a scene of that `radius`, and the depth of the octree."""
    size = radius / _VOXELS_ACROSS_RADIUS[octree_depth]
    finest = _FEWEST_PIXELS * region.pixel
    return max(size, finest), octree_depth - round(np.log2(max(finest / size, 1.0)))


def thin(cloud: Cloud, region: Region, octree_depth: int) -> tuple[Cloud, float, int]:
    """Return about one point for each cell of the octree, the side of a cell, and the depth of the octree.

    The octree is less deep than `octree_depth` if the photos lack the detail. For a region much wider than its core, it
    is deeper, and the spacing of points grows with `region.coarseness`. Cells may be twice as large as without
    surroundings: finer cells take three times as long, and do not improve the faces that are kept.
    """
    if region.doublings == 0:
        centre = np.median(cloud.points, axis=0)
        radius = float(np.linalg.norm(cloud.points - centre, axis=1).max())
        size, octree_depth = _cell(radius, region, octree_depth)
        return thinned(cloud, size), size, octree_depth
    size, octree_depth = _cell(_SCENE_MARGIN * region.core.radius, region, octree_depth)
    coarseness = region.coarseness(cloud.points)
    parts = [
        thinned(Cloud(cloud.points[coarseness == factor], cloud.normals[coarseness == factor]), factor * size)
        for factor in np.unique(coarseness)
    ]
    joined = Cloud(np.concatenate([part.points for part in parts]), np.concatenate([part.normals for part in parts]))
    return joined, size, min(octree_depth + region.doublings - 1, _DEEPEST)


def poisson(cloud: Cloud, scratch: Path, *, octree_depth: int, progress: StageProgress) -> Mesh:
    """Return the surface through `cloud`; `scratch` is a folder for intermediate files.

    Raises ModelFailure (NO_DENSE_SURFACE).
    """
    points_path, mesh_path = scratch / "points.ply", scratch / "surface.ply"
    white = np.full(cloud.points.shape, 255, np.uint8)  # COLMAP's reader requires colours
    write_ply(points_path, cloud, white)
    message = f"surface through {len(cloud.points)} points"
    progress(0.0, message)
    fit(points_path, mesh_path, octree_depth)
    progress(1.0, message)
    loaded = trimesh.load_mesh(mesh_path, process=False)
    faces: Integers = np.asarray(loaded.faces, dtype=np.int64)
    if len(faces) == 0:
        raise ModelFailure("NO_DENSE_SURFACE", f"no surface could be fitted to the {len(cloud.points)} points")
    return Mesh(np.asarray(loaded.vertices, dtype=np.float64), faces)


def write_ply(path: Path, cloud: Cloud, colours: Pixels) -> None:
    """Write a binary PLY with normals and `colours` (points, 3)."""
    kinds = {**dict.fromkeys(("x", "y", "z", "nx", "ny", "nz"), "<f4"), **dict.fromkeys(("red", "green", "blue"), "u1")}
    records = np.rec.fromarrays((*cloud.points.T, *cloud.normals.T, *colours.T), dtype=list(kinds.items()))
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(records)}",
        *(f"property {'float' if kind == '<f4' else 'uchar'} {name}" for name, kind in kinds.items()),
        "end_header",
    ]
    with path.open("wb") as file:
        file.write(("\n".join(header) + "\n").encode())
        file.write(records.tobytes())
