"""Patches: cuts the mesh into patches of one photo each, and packs them into a square atlas at the scale of the photos.

A patch lies in the atlas as in its photo, so a texel is a pixel, and nothing is stretched. Faces that no photo shows whole get small cells.
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
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.texture.labelling import Labels

_MARGIN = 3  # px around a patch, for the filters of viewers
_SMALLEST_LEG = 4.0  # px: of a face that is in no patch
_CROWDED = 0.6  # share of the atlas; if the faces need more at the scale of the photos, coarse ones get less
_BLOCKS = 200  # along a square of the area of all patches; more pack tighter, and take longer
_NONE = 0.5  # blocks in common, up to the rounding errors of the Fourier transform
_LOOSER = 1.03  # factor for the side of the atlas, in blocks, if the patches do not fit


@dataclass(frozen=True, eq=False, slots=True)
class Atlas:
    """The mesh, cut into patches: vertices on cuts are duplicated."""

    mesh: Mesh
    original: Integers  # (n,): index of each vertex in the uncut mesh
    uv: Doubles  # (n, 2): 0 to 1, origin at the upper left
    scale: float  # texels for each pixel of a photo, at most 1


def make(mesh: Mesh, labels: Labels, views: Sequence[View], coarseness: Doubles, size: int) -> Atlas:
    """Return the atlas of `mesh` on a square texture of `size` px.

    A face with `coarseness` (faces,) 2 gets a quarter of the texels that it would get with 1.
    """
    corners, whole = _in_photos(mesh, labels, views)
    areas = np.abs(np.linalg.det(np.diff(corners[whole], axis=1))) / 2
    if areas.sum() > _CROWDED * size**2:
        corners /= coarseness[:, None, None]
    patch = _connected(mesh, np.stack([labels.face, coarseness], axis=1), whole)
    keys, numbers = np.unique(patch[:, None] * len(mesh.vertices) + mesh.faces, return_inverse=True)
    faces = numbers.reshape(-1, 3)
    loose = np.flatnonzero(~whole)
    leg = max(np.sqrt(2.0 * np.median(areas)) if len(areas) else 0.0, _SMALLEST_LEG)
    cells = np.stack(np.divmod(np.arange(len(loose)), max(int(np.sqrt(len(loose))), 1)), axis=1)
    corners[loose] = cells[:, None] * (leg + 2 * _MARGIN) + np.array([[0.0, 0.0], [leg, 0.0], [0.0, leg]])
    patch[loose] = patch.max() + 1
    order = np.argsort(patch, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(patch[order])) + 1)
    origins = np.stack([np.floor(corners[group].min(axis=(0, 1))) - _MARGIN for group in groups])
    shapes = [_covered(corners[group] - origin) for group, origin in zip(groups, origins, strict=True)]
    places, scale = _packed(shapes, size)
    uv = np.empty((len(keys), 2))
    for group, origin, place in zip(groups, origins, places, strict=True):
        # Whole texels, so that texels lie on pixels
        uv[faces[group]] = ((corners[group] - origin + 0.5) * scale + np.rint(place * scale)) / size
    original = keys % len(mesh.vertices)
    return Atlas(Mesh(mesh.vertices[original], faces), original, uv, scale)


def _in_photos(mesh: Mesh, labels: Labels, views: Sequence[View]) -> tuple[Doubles, Mask]:
    """Return the pixels (faces, 3, 2) of the corners in the photo of each face, and the faces (faces,) that it shows whole."""
    corners = np.zeros((len(mesh.faces), 3, 2))
    whole = labels.whole.copy()
    for index, view in enumerate(views):
        here = np.flatnonzero(labels.face == index)
        corners[here] = view.camera.project(mesh.vertices[mesh.faces[here]].reshape(-1, 3))[0].reshape(-1, 3, 2)
    return corners, whole & (np.linalg.det(np.diff(corners, axis=1)) < 0.0)  # seen from outside


def _connected(mesh: Mesh, kind: Doubles, whole: Mask) -> Integers:
    """(faces,): the number of the patch of each face. Connected `whole` faces of one `kind` (faces, k) are a patch, others are alone."""
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


def _packed(shapes: Sequence[Pixels], size: int) -> tuple[Doubles, float]:
    """Return the upper left corners (n, 2: column, row) of `shapes` in px, and the scale at which they fit in a square of `size`.

    The first place in row order where a shape touches no other is taken, on a grid of blocks, the largest shape first.
    """
    block = max(int(np.sqrt(sum(int(shape.sum()) for shape in shapes)) / _BLOCKS), 2)
    coarse = list(shapes)
    for axis in (0, 1):
        coarse = [np.maximum.reduceat(shape, range(0, shape.shape[axis], block), axis) for shape in coarse]
    order = sorted(range(len(coarse)), key=lambda index: -coarse[index].size)
    side = max(size // block, int(np.sqrt(sum(int(shape.sum()) for shape in coarse))))
    while (places := _places([coarse[index] for index in order], side)) is None:
        side = int(np.ceil(side * _LOOSER))
    corners = np.empty((len(shapes), 2))
    corners[order] = np.array(places) * block
    return corners, min(size / (side * block), 1.0)


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
