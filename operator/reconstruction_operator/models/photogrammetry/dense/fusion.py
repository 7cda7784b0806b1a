"""Fusion: checks depth maps against each other and joins them to one cloud of points with normals.

A pixel is kept if the depth maps of other views agree with it; its depth becomes the mean
(Merrell et al. 2007, "Real-time visibility-based fusion of depth maps").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

_SAME_DEPTH = 0.01  # relative difference up to which two views agree
_VIEWS_FOR_TWO_WITNESSES = 5  # in smaller sets one agreeing view is enough
_NORMAL_REACH_PX = 2
_LARGEST_JUMP = 0.05  # of the depth, across the pixels of one normal; a larger jump is an edge
_SHORTEST_NORMAL = 0.3  # of the mean of unit normals in a voxel; a shorter one means contradicting normals


@dataclass(frozen=True, eq=False, slots=True)
class Cloud:
    """Points with unit normals, both (n, 3)."""

    points: Doubles
    normals: Doubles


def fuse(
    cameras: Sequence[Camera],
    depths: Sequence[Singles],
    sources: Sequence[Sequence[int]],
    threads: int,
    progress: StageProgress,
) -> Cloud:
    """The points of all depth maps that enough other views confirm. `cameras` are those of the depth maps."""
    neighbours = mutual(sources)
    witnesses = 2 if len(cameras) >= _VIEWS_FOR_TWO_WITNESSES else 1

    def one(index: int) -> Cloud:
        others = [(cameras[other], depths[other]) for other in neighbours[index]]
        kept = consistent_depths(cameras[index], depths[index], others, witnesses=witnesses)
        return points_with_normals(cameras[index], kept)

    parts = parallel.each(
        one, range(len(cameras)), threads, lambda done, of: progress(done / of, f"fused {done}/{of} depth maps")
    )
    return Cloud(np.concatenate([part.points for part in parts]), np.concatenate([part.normals for part in parts]))


def mutual(sources: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each view the views that it is compared with, in either direction."""
    sets = [set(chosen) for chosen in sources]
    for index, chosen in enumerate(sources):
        for other in chosen:
            sets[other].add(index)
    return [sorted(chosen) for chosen in sets]


def consistent_depths(
    camera: Camera, depths: Singles, others: Sequence[tuple[Camera, Singles]], *, witnesses: int
) -> Singles:
    """`depths` averaged with the agreeing ones of `others`; 0 where fewer than `witnesses` agree."""
    rows, columns = np.nonzero(depths)
    own = depths[rows, columns].astype(np.float64)
    rays = camera.rays().reshape(*depths.shape, 3)[rows, columns]
    points = camera.centre + rays * own[:, None]
    agreeing = np.zeros(len(own), dtype=np.int64)
    total = own.copy()
    for other, other_depths in others:
        pixels, expected = other.project(points)
        column, row = np.rint(pixels).astype(np.int64).T
        inside = (expected > 0) & (column >= 0) & (column < other.width) & (row >= 0) & (row < other.height)
        hit = np.flatnonzero(inside)
        found = other_depths[row[hit], column[hit]].astype(np.float64)
        agree = (found > 0) & (np.abs(found - expected[hit]) < _SAME_DEPTH * expected[hit])
        hit, found = hit[agree], found[agree]
        # The other view's point lies on the line of sight at nearly the same place: its depth here is ours, scaled.
        total[hit] += own[hit] * (found / expected[hit])
        agreeing[hit] += 1
    kept = agreeing >= witnesses
    result = np.zeros_like(depths)
    result[rows[kept], columns[kept]] = total[kept] / (agreeing[kept] + 1)
    return result


def points_with_normals(camera: Camera, depths: Singles) -> Cloud:
    """World points and normals (towards the camera) of the pixels whose neighbourhood is known and smooth."""
    smooth = np.asarray(cv2.medianBlur(depths, 3), dtype=np.float64)
    points = camera.centre + camera.rays().reshape(*depths.shape, 3) * smooth[:, :, None]
    reach = _NORMAL_REACH_PX
    across, down = np.zeros_like(points), np.zeros_like(points)
    across[:, reach:-reach] = points[:, 2 * reach :] - points[:, : -2 * reach]
    down[reach:-reach] = points[2 * reach :] - points[: -2 * reach]
    normals = np.cross(down, across)
    lengths = np.linalg.norm(normals, axis=2)
    window = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    known = cv2.erode(((smooth > 0) & (depths > 0)).astype(np.uint8), window, borderValue=0) > 0
    jump = np.maximum(np.linalg.norm(across, axis=2), np.linalg.norm(down, axis=2))
    good = known & (jump < _LARGEST_JUMP * smooth) & (lengths > 0)
    normals = normals[good] / lengths[good][:, None]
    points = points[good]
    away = (normals * (camera.centre - points)).sum(axis=1) < 0
    normals[away] *= -1
    return Cloud(points, normals)


def voxel_downsample(cloud: Cloud, size: float) -> Cloud:
    """One point for each occupied cube of side `size`: the mean of its points."""
    cells = np.floor((cloud.points - cloud.points.min(axis=0)) / size).astype(np.int64)
    shape = cells.max(axis=0) + 1
    keys = np.ravel_multi_index(tuple(cells.T), tuple(shape))
    _, owner, counts = np.unique(keys, return_inverse=True, return_counts=True)

    def mean(values: Doubles) -> Doubles:
        sums = [np.bincount(owner, values[:, axis], len(counts)) for axis in range(3)]
        means: Doubles = np.stack(sums, axis=1) / counts[:, None]
        return means

    normals = mean(cloud.normals)
    lengths = np.linalg.norm(normals, axis=1)
    agreed = lengths > _SHORTEST_NORMAL
    return Cloud(mean(cloud.points)[agreed], normals[agreed] / lengths[agreed][:, None])
