"""Patches: cuts the mesh into patches of one photo each, and packs them into a square atlas at the scale of the photos.

A patch lies in the atlas as in its photo, so nothing is stretched. With room, photos are enlarged a little: viewers
interpolate between texels linearly, which blurs less if the texels are finer than the pixels. If the atlas is too
small, all photos are reduced. Faces that no photo shows share one grey cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import trimesh
from scipy import sparse
from scipy.sparse import csgraph

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask, Pixels
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.texture.labelling import Labels
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph

_MARGIN = 3  # texels around a patch, for the filters of viewers
_LEG = 6.0  # texels: of a face in no patch
_CROWDED = 0.6  # share of the atlas; if the faces need more at the scale of the photos, coarse ones get less
_FULLEST = 0.8  # share of the atlas that faces fill at the first attempt to pack them
_MOST_TEXELS = 1.5  # for each pixel, in each direction
_SMALLER = 0.96  # factor for the scale of the photos, if the patches do not fit
_PIXELS_OF_A_TEXEL = 2.0  # with more, the atlas becomes larger
_BLOCKS = 200  # along the atlas; more pack tighter, and take longer
_NONE = 0.5  # blocks in common, up to the rounding errors of the Fourier transform


@dataclass(frozen=True, eq=False, slots=True)
class Atlas:
    """The mesh, cut into patches: vertices on cuts are duplicated."""

    mesh: Mesh
    original: Integers  # (n,): index of each vertex in the uncut mesh
    uv: Doubles  # (n, 2): 0 to 1, origin at the upper left
    size: int  # texels along a side
    scale: float  # texels for each pixel of a photo, in each direction
    coarseness: Doubles  # (faces,): 1, or a divisor of the scale


def make(
    mesh: Mesh, labels: Labels, photographs: Sequence[Photograph], coarseness: Doubles, *, size: int, largest: int
) -> Atlas:
    """Return the atlas of `mesh` on a square texture of `size` px, or of `largest` px if a texel would be more than two
    pixels.

    In a crowded atlas, a face with `coarseness` (faces,) 2 gets a quarter of the texels that it would get with 1.
    """
    even = np.ones(len(mesh.faces))
    corners, whole = _in_photos(mesh, labels, photographs, even)
    areas = np.where(whole, np.abs(np.linalg.det(np.diff(corners, axis=1))) / 2, 0.0)
    if areas.sum() > _CROWDED * size**2:
        areas /= coarseness**2
    else:
        coarseness = even
    if areas.sum() > _FULLEST * (_PIXELS_OF_A_TEXEL * size) ** 2:
        size = largest
    scale = min(_MOST_TEXELS, size * float(np.sqrt(_FULLEST / max(areas.sum(), 1.0))))
    patch = _patches(mesh, labels, coarseness, whole)
    order = np.argsort(patch, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(patch[order])) + 1)
    while True:
        corners, _ = _in_photos(mesh, labels, photographs, scale / coarseness)
        corners[~whole] = np.where((labels.face < 0)[~whole, None, None], 0.0, np.array([[0, 0], [_LEG, 0], [0, _LEG]]))
        corners -= _repeated(groups, [np.floor(corners[group].min(axis=(0, 1))) - _MARGIN for group in groups])
        places = _packed([_covered(corners[group]) for group in groups], size)
        if places is not None:
            break
        scale = max(1.0, scale * _SMALLER) if scale > 1.0 else scale * _SMALLER  # at 1, texels are pixels
    corners += _repeated(groups, places)
    keys, first, numbers = np.unique(
        patch[:, None] * len(mesh.vertices) + mesh.faces, return_index=True, return_inverse=True
    )
    original = keys % len(mesh.vertices)
    uv = (corners.reshape(-1, 2)[first] + 0.5) / size
    return Atlas(Mesh(mesh.vertices[original], numbers.reshape(-1, 3)), original, uv, size, scale, coarseness)


def _in_photos(mesh: Mesh, labels: Labels, photographs: Sequence[Photograph], scale: Doubles) -> tuple[Doubles, Mask]:
    """Return the pixels (faces, 3, 2) of the corners in the photo of each face, scaled by `scale` (faces,), and which
    faces it shows.
    """
    corners = np.zeros((len(mesh.faces), 3, 2))
    shown = np.zeros(len(mesh.faces), dtype=np.bool_)
    for index, factor in np.unique(np.stack([labels.face, scale], axis=1)[labels.face >= 0], axis=0):
        here = np.flatnonzero((labels.face == index) & (scale == factor))
        photograph = photographs[int(index)].resized(factor)
        straight, depth = photograph.camera.project(mesh.vertices[mesh.faces[here]].reshape(-1, 3))
        pixels = photograph.distorted(straight)
        size = np.array([photograph.camera.width, photograph.camera.height])
        inside = (depth > 0.0) & ((pixels > -1.0) & (pixels < size)).all(axis=1)
        corners[here] = pixels.reshape(-1, 3, 2)
        shown[here] = inside.reshape(-1, 3).all(axis=1)
    return corners, shown & (np.linalg.det(np.diff(corners, axis=1)) < 0.0)  # seen from outside


def _patches(mesh: Mesh, labels: Labels, coarseness: Doubles, whole: Mask) -> Integers:
    """(faces,): the number of the patch of each face. Faces without a photo are a patch, too."""
    patch = _connected(mesh, np.stack([labels.face, coarseness], axis=1), whole)
    patch[labels.face < 0] = patch.max() + 1
    return patch


def _repeated(groups: Sequence[Integers], values: Sequence[Doubles]) -> Doubles:
    """(faces, 1, 2): the value of the group of each face."""
    repeated = np.empty((sum(map(len, groups)), 1, 2))
    for group, value in zip(groups, values, strict=True):
        repeated[group] = value
    return repeated


def _connected(mesh: Mesh, kind: Doubles, whole: Mask) -> Integers:
    """(faces,): the number of the patch of each face.

    Connected `whole` faces of one `kind` (faces, k) are a patch, others are alone.
    """
    first, second = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).face_adjacency.T
    joined = whole[first] & whole[second] & (kind[first] == kind[second]).all(axis=1)
    ends, count = (first[joined], second[joined]), len(mesh.faces)
    graph = sparse.csr_matrix((np.ones(joined.sum()), ends), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)


def _covered(corners: Doubles) -> Pixels:
    """Return 1 for each pixel on or near a face; `corners` (faces, 3, 2) are at least the margin from 0."""
    width, height = np.ceil(corners.max(axis=(0, 1))).astype(int) + _MARGIN + 1
    shape = np.zeros((height, width), dtype=np.uint8)
    for triangle in np.rint(corners).astype(np.int32):
        cv2.fillConvexPoly(shape, triangle, 1)
    return np.asarray(cv2.dilate(shape, np.ones((2 * _MARGIN + 1,) * 2, np.uint8)), dtype=np.uint8)


def _packed(shapes: Sequence[Pixels], size: int) -> list[Doubles] | None:
    """Return the upper left corner (2,: column, row) of each of `shapes` in a square of `size` texels; None if they do
    not fit.

    The first place in row order where a shape touches no other is taken, on a grid of blocks, the largest shape first.
    """
    block = max(size // _BLOCKS, 2)
    coarse = list(shapes)
    for axis in (0, 1):
        coarse = [np.maximum.reduceat(shape, range(0, shape.shape[axis], block), axis) for shape in coarse]
    order = sorted(range(len(coarse)), key=lambda index: -coarse[index].size)
    places = _places([coarse[index] for index in order], size // block)
    if places is None:
        return None
    place_of = dict(zip(order, places, strict=True))
    return [np.array(place_of[index], dtype=np.float64) * block for index in range(len(shapes))]


def _places(shapes: Sequence[Pixels], side: int) -> list[tuple[int, int]] | None:
    """Return column and row of each of `shapes` in a square of `side` blocks; None if they do not fit."""
    taken = np.zeros((side, side), dtype=np.uint8)
    places = []
    for shape in shapes:
        height, width = shape.shape
        if max(height, width) > side:
            return None
        common = cv2.matchTemplate(taken, shape, cv2.TM_CCORR)
        free = np.flatnonzero(common < _NONE)
        if len(free) == 0:
            return None
        row, column = divmod(int(free[0]), common.shape[1])
        taken[row : row + height, column : column + width] |= shape
        places.append((column, row))
    return places
