"""Photo-consistency: moves each vertex along its normal to where its best photos agree.

The fit of the surface and its smoothing round off what the photos show. Here, a small square on the tangent plane is
sampled in the best photos of each vertex, at some heights, and their correlation decides (as Vu, Labatut, Pons and
Keriven 2012, "High accuracy and visibility-consistent dense multiview stereo", but with a search instead of a
gradient). Confident vertices pull the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import sparse

from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask, Singles
from reconstruction_operator.models.photogrammetry.dense.views import GreyView, View, grey_reader
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.surface import cleanup
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

_VIEWS = 4  # best photos of a vertex
_LEAST_COSINE = 0.3  # minimum of the angle of sight; at flatter angles, the square is too narrow in the photo
_PATCH = 7  # samples along the square, a pixel of the best photo apart
_NEAR_BORDER_PX = 8.0  # squares reach so far
_HEIGHTS_PX = ((-2.1, -1.4, -0.7, 0.0, 0.7, 1.4, 2.1), (-0.7, -0.35, 0.0, 0.35, 0.7))  # tried in each round
_NOISE_VARIANCE = np.float32(9e-5)  # of grey 0 to 1: prevents flat areas from matching noise
_LEAST_CORRELATION = 0.5
_MOST_CONFIDENT = 4.0  # times the median curvature of the correlation
_SMOOTHNESS = 1.0  # weight of the mean of the neighbours, relative to the median confidence
_SMOOTHING_ROUNDS = 20
_SPACING_PX = 1.2  # of the vertices for which photos are compared, or up to twice as much
_PRIMES = (73_856_093, 19_349_663, 83_492_791, 49_979_687)  # of a hash of cells
_VERTICES_AT_ONCE = 500  # intermediate values stay in the cache


@dataclass(frozen=True, eq=False, slots=True)
class _Square:
    """The squares of some vertices: where they are in space, and the views that show them."""

    points: Doubles  # (n, 3)
    normals: Doubles  # (n, 3)
    across: Doubles  # (n, 3): tangents, a sample long
    along: Doubles  # (n, 3)
    pixel: Doubles  # (n,): size of a pixel of the best view
    views: Integers  # (n, _VIEWS): indices; -1: none


def refined(mesh: Mesh, views: Sequence[View], *, threads: int, progress: StageProgress) -> Mesh:
    """Return `mesh` with its vertices where the photos agree best."""
    read, vertices = (
        grey_reader(views, max(max(view.camera.width, view.camera.height) for view in views)),
        mesh.vertices,
    )
    average = cleanup.average_of_neighbours(mesh)
    for number, heights in enumerate(_HEIGHTS_PX):
        part = progress.part(number / len(_HEIGHTS_PX), (number + 1) / len(_HEIGHTS_PX))
        current = Mesh(vertices, mesh.faces)
        normals = current.normals()
        normals += average @ normals
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(float).tiny)
        if number == 0:
            best, pixel = _best_views(current, normals, views, part.part(0.0, 0.2))
        height, confidence = _heights(
            _squares(vertices, normals, pixel, best),
            np.array(heights),
            read,
            threads=threads,
            progress=part.part(0.2, 1.0),
        )
        vertices = vertices + (_smooth(height, confidence, average) * pixel)[:, None] * normals
    return Mesh(vertices, mesh.faces)


def _best_views(
    mesh: Mesh, normals: Doubles, views: Sequence[View], progress: StageProgress
) -> tuple[Integers, Doubles]:
    """Return the views (n, _VIEWS), best first, that see each vertex, -1 for none, and the size of a pixel (n,) of the
    first.
    """
    caster = Caster(mesh)
    count = len(mesh.vertices)
    best = np.full((count, _VIEWS), -1, dtype=np.int64)
    scores = np.zeros((count, _VIEWS), dtype=np.float32)
    pixel = np.zeros(count)
    for index, view in enumerate(views):
        camera = view.camera
        pixels, depth = camera.project(mesh.vertices)
        size = np.array([camera.width, camera.height])
        inside = ((pixels > _NEAR_BORDER_PX) & (pixels < size - 1 - _NEAR_BORDER_PX)).all(axis=1) & (depth > 0)
        here = np.flatnonzero(inside)
        to_camera = camera.centre - mesh.vertices[here]
        distance = np.linalg.norm(to_camera, axis=1)
        cosine = (to_camera * normals[here]).sum(axis=1) / distance
        score = (cosine**2 * camera.intrinsics[0, 0] / distance).astype(np.float32)
        better = (cosine > _LEAST_COSINE) & (score > scores[here, -1])
        here, score, distance = here[better], score[better], distance[better]
        shown = view.shows(pixels[here])
        shown[shown] = caster.sees(mesh.vertices[here[shown]], normals[here[shown]], camera.centre)
        here, score, distance = here[shown], score[shown], distance[shown]
        first = score > scores[here, 0]
        pixel[here[first]] = distance[first] / camera.intrinsics[0, 0]
        scores[here, -1], best[here, -1] = score, index
        order = np.argsort(-scores[here], axis=1)
        scores[here] = np.take_along_axis(scores[here], order, axis=1)
        best[here] = np.take_along_axis(best[here], order, axis=1)
        progress((index + 1) / len(views), f"views of the surface {index + 1}/{len(views)}")
    return best, pixel


def _squares(points: Doubles, normals: Doubles, pixel: Doubles, views: Integers) -> _Square:
    least = np.eye(3)[np.abs(normals).argmin(axis=1)]  # the axis that is farthest from the normal
    across = np.cross(normals, least)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), np.finfo(float).tiny)
    return _Square(points, normals, across * pixel[:, None], np.cross(normals, across) * pixel[:, None], pixel, views)


def _heights(
    squares: _Square, heights: Doubles, read: Callable[[int], GreyView], *, threads: int, progress: StageProgress
) -> tuple[Doubles, Doubles]:
    """Return the height (n,) in pixels at which the views of each square agree best, and how sure that is (n,); 0: not
    at all.
    """
    height, confidence = np.zeros((2, len(squares.points)))
    usable = np.flatnonzero(squares.views[:, 1] >= 0)
    usable = usable[_spread(squares.points[usable], squares.pixel[usable])]
    usable = usable[np.argsort(squares.views[usable, 0], kind="stable")]  # neighbours use the same photos

    def search(chunk: Integers) -> None:
        scores = _correlations(squares, chunk, heights, read)
        best = np.clip(scores.argmax(axis=1), 1, len(heights) - 2)
        rows = np.arange(len(chunk))
        below, at, above = (scores[rows, best + shift] for shift in (-1, 0, 1))
        curvature = 2.0 * at - below - above
        peak = (curvature > 0.0) & (at >= below) & (at >= above) & (at > _LEAST_CORRELATION)
        shift = np.where(peak, 0.5 * (above - below) / np.where(peak, curvature, 1.0), 0.0)
        height[chunk] = heights[best] + shift * (heights[1] - heights[0])
        confidence[chunk] = np.where(peak, curvature, 0.0)

    chunks = np.array_split(usable, len(usable) // _VERTICES_AT_ONCE + 1)
    parallel.each(
        search, chunks, threads, lambda done, of: progress(done / of, f"surface compared with the photos {done}/{of}")
    )
    sure = confidence > 0.0
    if sure.any():
        confidence = np.minimum(confidence / np.median(confidence[sure]), _MOST_CONFIDENT)
    return height, confidence


def _spread(points: Doubles, pixel: Doubles) -> Mask:
    """(n,): one of those `points` (n, 3) that are within about a pixel or two: the others follow it."""
    level = np.ceil(np.log2(pixel))
    cells = np.floor(points / (_SPACING_PX * 2.0 ** level[:, None])).astype(np.int64)
    keys = cells @ np.array(_PRIMES[:3]) + level.astype(np.int64) * _PRIMES[3]
    chosen = np.zeros(len(keys), dtype=np.bool_)
    chosen[np.unique(keys, return_index=True)[1]] = True
    return chosen


def _correlations(squares: _Square, chunk: Integers, heights: Doubles, read: Callable[[int], GreyView]) -> Singles:
    """(n, heights): how well the views of the squares in `chunk` (n,) correlate at each height: the mean of the better
    half of pairs.
    """
    offsets = np.arange(_PATCH, dtype=np.float32) - _PATCH // 2
    along, across = (grid.ravel() for grid in np.meshgrid(offsets, offsets, indexing="ij"))
    rise = heights.astype(np.float32)[:, None]
    views, count = squares.views[chunk], _PATCH**2
    samples = np.zeros((len(chunk), len(heights), _VIEWS + 1, count), dtype=np.float32)
    samples[:, :, _VIEWS] = 1.0  # its products with the others are their sums
    for index in np.unique(views[views >= 0]):
        row, slot = np.nonzero(views == index)
        view = read(int(index))
        column, line = (
            (middle + right * across + down * along)[:, None] + up[:, None] * rise
            for middle, right, down, up in _in_photo(squares, chunk[row], view.camera)
        )
        shape = (len(row), -1)
        picked = cv2.remap(view.grey, column.reshape(shape), line.reshape(shape), cv2.INTER_LINEAR)
        samples[row, :, slot] = picked.reshape(column.shape)
    products = samples @ samples.swapaxes(2, 3)
    products, sums = products[:, :, :_VIEWS, :_VIEWS], products[:, :, :_VIEWS, _VIEWS]
    products = products - sums[:, :, :, None] * sums[:, :, None, :] / count
    spread = np.sqrt(np.diagonal(products, axis1=2, axis2=3) + count * _NOISE_VARIANCE)
    first, second = np.triu_indices(_VIEWS, 1)
    there = (views >= 0)[:, first] & (views >= 0)[:, second]
    pairs = products[:, :, first, second] / (spread[:, :, first] * spread[:, :, second])
    ordered = -np.sort(-np.where(there[:, None], pairs, -2.0), axis=2)
    half = np.maximum((there.sum(axis=1) + 1) // 2, 1)
    total = np.cumsum(ordered, axis=2)[np.arange(len(chunk)), :, half - 1]
    return np.asarray(total / half[:, None], dtype=np.float32)


def _in_photo(squares: _Square, chosen: Integers, camera: Camera) -> Singles:
    """(2, 4, n, 1): column and row of each middle, and what a sample across, one along, and a pixel upwards add to
    them.

    The squares are so small that perspective is linear in them.
    """
    vectors = (
        squares.across[chosen],
        squares.along[chosen],
        squares.normals[chosen] * squares.pixel[chosen, None],
    )
    middle = camera.homogeneous(squares.points[chosen])
    depth = middle[:, 2:]
    pixels = middle[:, :2] / depth
    columns = [pixels]
    for vector in vectors:
        moved = vector @ (camera.intrinsics @ camera.rotation).T
        columns.append((moved[:, :2] - pixels * moved[:, 2:]) / depth)
    return np.stack(columns).transpose(2, 0, 1)[..., None].astype(np.float32)


def _smooth(height: Doubles, confidence: Doubles, average: sparse.csr_matrix) -> Doubles:
    """(n,): heights that follow the confident ones, and are alike for neighbours."""
    smooth = np.zeros(len(height))
    for _ in range(_SMOOTHING_ROUNDS):
        smooth = (confidence * height + _SMOOTHNESS * (average @ smooth)) / (confidence + _SMOOTHNESS)
    return smooth
