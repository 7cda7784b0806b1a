"""Depth maps: compute a depth for each pixel of each view, from coarse to fine.

A plane sweep with semi-global aggregation finds a coarse depth in the whole range. Each finer level searches around it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Costs, Doubles, Mask, Singles
from reconstruction_operator.models.photogrammetry.dense import planesweep, refinement
from reconstruction_operator.models.photogrammetry.dense.views import GreyView, View, grey_reader
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

_WORST_COST = 0.9  # maximum of 1 - correlation in the pixel's window; fusion rejects what other views contradict
_FLATTEST_VARIANCE = 2e-5  # minimum variance of grey 0 to 1
_SURE_RATIO = 0.9  # maximum ratio of the best depth's cost to that of the next best that is not beside it
_BESIDE_PLANES = 3  # planes up to this distance count as beside each other
_STEPS_OF_A_PLANE = 3  # steps of the first refinement for each spacing of planes
_BYTES_OF_A_PLANE = 12  # in the sweep, for costs, their sums, and copies of both
_COMPRESSION = 1  # of zlib, the fastest; level 6 saves little more
_HELD = 32  # cached depth maps: enough for the neighbours of the views that all threads work on
_BYTES_OF_A_PIXEL = 200  # in a refinement, for the costs of each step and the coordinates in each source


@dataclass(frozen=True, eq=False, slots=True)
class DepthMap:
    """The depths of one view."""

    depths: Singles  # (h, w); 0: unknown
    sure: Mask  # (h, w): whether no other depth fits nearly as well


Write = Callable[[int, DepthMap], None]


@dataclass(frozen=True, eq=False, slots=True)
class DepthTask:
    """The input of every source of depth: plane sweep, PatchMatch, or that of another package."""

    views: Sequence[View]
    cameras: Sequence[Camera]  # of the depth maps: their sizes
    settings: QualitySettings
    folder: Path  # for temporary files; does not exist yet
    threads: int
    progress: StageProgress
    wanted: range | None = None  # the views whose depth maps are wanted; None: all


DepthSource = Callable[[DepthTask, Write], None]


def checked(task: DepthTask, index: int, depth: DepthMap) -> DepthMap:
    """Return the depth map of a view; raises ValueError if its shape, type or values are not as `DepthMap` describes
    them.
    """
    name, shape = task.views[index].name, (task.cameras[index].height, task.cameras[index].width)
    for array, kind in ((depth.depths, "float32"), (depth.sure, "bool")):
        if (array.shape, str(array.dtype)) != (shape, kind):
            raise ValueError(f"depth map of {name} is {array.shape} {array.dtype} instead of {shape} {kind}")
    if not ((depth.depths >= 0) & (depth.depths < np.inf)).all():
        raise ValueError(f"depth map of {name} has negative or infinite depths, or NaN; 0 is unknown")
    return depth


def compute(task: DepthTask, write: Write) -> None:
    """Compute the depth map of each wanted view and pass it to `write`, which is called from several threads."""
    views, settings = task.views, task.settings
    grey = grey_reader(views, settings.refined_sizes[-1])

    def compute_view(index: int) -> None:
        view = views[index]
        write(index, _depth_map(view, grey(index), [grey(source) for source in view.sources], settings))

    sweep_bytes = settings.depth_size**2 * settings.depth_planes * _BYTES_OF_A_PLANE
    refinement_bytes = settings.refined_sizes[-1] ** 2 * _BYTES_OF_A_PIXEL
    parallel.each(
        compute_view,
        range(len(views)) if task.wanted is None else task.wanted,
        task.threads,
        lambda done, of: task.progress(done / of, f"depth map {done}/{of}"),
        bytes_each=sweep_bytes + refinement_bytes,
    )


def _depth_map(view: View, reference: GreyView, sources: Sequence[GreyView], settings: QualitySettings) -> DepthMap:
    if not sources:
        return DepthMap(np.zeros_like(reference.grey), np.zeros(reference.grey.shape, dtype=np.bool_))
    near, far = view.near, view.far
    small = reference.reduced(settings.depth_size)
    others = [source.reduced(settings.depth_size) for source in sources]
    planes = planesweep.planes_needed(
        small.camera, [other.camera for other in others], near, far, settings.depth_planes
    )
    inverse = np.linspace(1.0 / far, 1.0 / near, planes)  # even, so that pixels move evenly in the sources' photos
    costs = planesweep.costs(small, others, inverse)
    total = planesweep.aggregate(costs, small.grey, diagonals=settings.diagonal_paths)
    inverses, sure = choose_planes(total, inverse)
    step = float(inverse[1] - inverse[0]) / _STEPS_OF_A_PLANE
    sound = np.ones_like(sure)
    for size in settings.refined_sizes:
        level = reference.reduced(size)
        shape = (level.camera.width, level.camera.height)
        start = np.asarray(cv2.resize(inverses, shape, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
        inverses, cost, variance = refinement.refined(level, [source.reduced(size) for source in sources], start, step)
        sound = (cost <= _WORST_COST) & (variance >= _FLATTEST_VARIANCE)
        step /= 2
    sound &= (inverses > inverse[0]) & (inverses < inverse[-1]) & view.shown(*sound.shape[::-1])
    sure = cv2.resize(sure.astype(np.uint8), sound.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    depths = np.where(sound, 1 / np.maximum(inverses, inverse[0]), 0).astype(np.float32)
    return DepthMap(depths, sure)


def choose_planes(total: Costs, inverse: Doubles) -> tuple[Singles, Mask]:
    """Choose the cheapest plane of each pixel by `total` (h, w, planes).

    Return its inverse depth (h, w), interpolated between planes by a parabola, and whether it is sure (h, w): every
    plane that is not beside it costs clearly more.
    """
    winner = total.argmin(axis=2)
    inside = np.clip(winner, 1, len(inverse) - 2)[:, :, None]
    before, at, after = (
        np.take_along_axis(total, inside + offset, axis=2)[:, :, 0].astype(np.float32) for offset in (-1, 0, 1)
    )
    curvature = np.maximum(before - 2 * at + after, 1)
    offset = np.clip((before - after) / (2 * curvature), -0.5, 0.5)
    spacing = inverse[1] - inverse[0]
    inverses = (inverse[inside[:, :, 0]] + offset * spacing).astype(np.float32)
    elsewhere = total.copy()
    for beside in range(-_BESIDE_PLANES, _BESIDE_PLANES + 1):
        place = np.clip(winner + beside, 0, len(inverse) - 1)[:, :, None]
        np.put_along_axis(elsewhere, place, np.iinfo(total.dtype).max, axis=2)
    return inverses, at <= _SURE_RATIO * elsewhere.min(axis=2)


def write(folder: Path, index: int, depth: DepthMap) -> None:
    """Write the depth map of the view with that number, without loss.

    First bytes of all depths, then all second bytes and so on compress to a third, in less time than a disk on the
    network takes for the rest: each map is read about four times.
    """
    depths = np.ascontiguousarray(depth.depths)
    planes = depths.view(np.uint8).reshape(-1, depths.itemsize).T.tobytes()
    packed = np.frombuffer(zlib.compress(planes, _COMPRESSION), dtype=np.uint8)
    np.savez(_file(folder, index), shape=depths.shape, depths=packed, sure=np.packbits(depth.sure))


def reader(folder: Path) -> Callable[[int], DepthMap]:
    """Return a function that reads the depth map of a view by its number.

    It caches a few: those of a large set do not fit into memory.
    """

    @lru_cache(_HELD)
    def read(index: int) -> DepthMap:
        with np.load(_file(folder, index)) as file:
            shape = tuple(file["shape"])
            planes = np.frombuffer(zlib.decompress(file["depths"]), dtype=np.uint8)
            depths = np.ascontiguousarray(planes.reshape(np.float32().itemsize, -1).T).view(np.float32)
            sure = np.unpackbits(file["sure"], count=depths.size)
        return DepthMap(depths.reshape(shape), sure.reshape(shape).astype(np.bool_))

    return read


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:04d}.npz"
