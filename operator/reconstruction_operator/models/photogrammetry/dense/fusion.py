"""Depth map fusion: checks depth maps against each other, and joins them to one cloud of points with normals.

A pixel is kept if other views see a surface at its point, and dropped if they see through it. Its depth becomes the
mean of the agreeing depths (Merrell et al. 2007, "Real-time visibility-based fusion of depth maps").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry import arrays, dividing, parallel
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud, Sums, Voxels
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

Divided = Callable[[dividing.Make], Sequence[Path]]
"""Gets what fills the folder of a part of the views."""

_SAME_DEPTH = 0.01  # maximum relative difference of agreeing depths
_FREE_DEPTH = 0.02  # a view whose depth is larger by this relative difference sees through the point
_WITNESSES = 2  # required number of agreeing views; 1 for a sure depth, and in sets of few photos
_VIEWS_FOR_TWO_WITNESSES = 5
_NORMAL_REACH_PX = 1
_BYTES_OF_A_PIXEL = 300  # for points, normals and intermediate values
_STEEPEST = 6.0  # tangent of the maximum angle between line of sight and normal; a steeper place is a depth edge


def fuse(
    cameras: Sequence[Camera],
    depth_map: Callable[[int], DepthMap],
    sources: Sequence[Sequence[int]],
    cell: float,
    *,
    threads: int,
    progress: StageProgress,
    divided: Divided = lambda _: [],
) -> Cloud:
    """Return the mean point of each cube of side `cell`, from all depths that enough other views confirm.

    `cameras` are the cameras of the depth maps, and `depth_map` reads one map. Each thread uses only a view's map and
    those of its neighbours, so memory does not grow with the number of views. `divided` returns the folders of parts in
    which others are fused, empty if this run fuses them all.
    """
    neighbours = mutual(sources)
    few = len(cameras) < _VIEWS_FOR_TWO_WITNESSES

    def fused(wanted: range, report: StageProgress) -> Voxels:
        voxels = Voxels(cell)

        def add_view(index: int) -> None:
            others = ((cameras[other], depth_map(other)) for other in neighbours[index])
            depths = consistent_depths(cameras[index], depth_map(index), others, witnesses=1 if few else _WITNESSES)
            voxels.add(points_with_normals(cameras[index], depths))

        pixels = max((camera.width * camera.height for camera in cameras), default=1)
        parallel.each(
            add_view,
            wanted,
            threads,
            lambda done, of: report(done / of, f"fused {done}/{of} depth maps"),
            bytes_each=pixels * _BYTES_OF_A_PIXEL,
        )
        return voxels

    parts = divided(lambda into, wanted, report: arrays.write(into, fused(wanted, report).sums()))
    if not parts:
        return fused(range(len(cameras)), progress).cloud()
    joined = Voxels(cell)
    for part in parts:
        joined.add_sums(arrays.read(Sums, part))
    return joined.cloud()


def mutual(sources: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return for each view the views that it is compared with, in either direction."""
    sets = [set(chosen) for chosen in sources]
    for index, chosen in enumerate(sources):
        for other in chosen:
            sets[other].add(index)
    return [sorted(chosen) for chosen in sets]


def consistent_depths(
    camera: Camera, own: DepthMap, others: Iterable[tuple[Camera, DepthMap]], *, witnesses: int
) -> Singles:
    """(h, w): the depths of `own`, averaged with agreeing depths of `others`; 0 where too few agree.

    At least `witnesses` must agree (1 where the depth is sure), and at least as many as see through the point.
    """
    known = own.depths > 0
    inverse = np.divide(1, own.depths, out=np.zeros_like(own.depths), where=known)
    agreeing, seeing_through = np.zeros((2, *known.shape), dtype=np.int16)
    total = own.depths.copy()
    for other, others_map in others:
        column, row, share = camera.seen_by(other, inverse)
        theirs = cv2.remap(others_map.depths, column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        # The other view's point is nearly on the same line of sight, so its depth here is our depth, scaled.
        here = np.asarray(theirs / share, dtype=np.float32)
        ratio = here * inverse  # 0 where either depth is unknown
        agree = np.abs(ratio - 1) < _SAME_DEPTH
        total += here * agree
        agreeing += agree
        seeing_through += ratio > 1 + _FREE_DEPTH
    needed = np.where(own.sure, 1, witnesses)
    confirmed = (agreeing >= needed) & (agreeing >= seeing_through)
    return np.where(confirmed, total / (agreeing + np.float32(1)), np.float32(0))


def points_with_normals(camera: Camera, depths: Singles) -> Cloud:
    """Return points and normals (towards the camera) of the pixels with a known neighbourhood without a depth edge."""
    smooth = np.asarray(cv2.medianBlur(depths, 3), dtype=np.float32)
    away = camera.rays().astype(np.float32).reshape(*depths.shape, 3) * smooth[:, :, None]  # from the camera
    reach = _NORMAL_REACH_PX
    across = np.zeros_like(away)
    down = np.zeros_like(away)
    across[:, reach:-reach] = away[:, 2 * reach :] - away[:, : -2 * reach]
    down[reach:-reach] = away[2 * reach :] - away[: -2 * reach]
    window = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    sound = cv2.erode(((smooth > 0) & (depths > 0)).astype(np.uint8), window, borderValue=0) > 0
    largest = _STEEPEST * 2 * reach / float(camera.intrinsics[0, 0])
    sound &= np.maximum((across**2).sum(axis=2), (down**2).sum(axis=2)) < (largest * smooth) ** 2
    away, across, down = away[sound], across[sound], down[sound]
    normals = np.cross(down, across)
    lengths = np.linalg.norm(normals, axis=1)
    good = lengths > 0
    normals, away = normals[good] / lengths[good][:, None], away[good]
    normals[(normals * away).sum(axis=1) > 0] *= -1
    return Cloud(camera.centre + away, normals.astype(np.float64))
