"""Colours: the weight of each photo at each vertex, and the vertex colours."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask, Pixels, Singles
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

UNSEEN_GREY = 128.0  # level of the surface that no photo shows

_PHOTOS_PER_VERTEX = 3
_GRAZING_COSINE = 0.15  # minimum; at flatter angles, the photo is smeared over the surface
_DOUBTFUL_COSINE = 0.5  # the same where the surface is closed without points: its depth may be wrong
_FRONTAL_POWER = 4  # exponent of the cosine, which prefers frontal photos
_BORDER = 0.06  # width of the border in which weights fade to hide seams, as a share of the photo's size
_AROUND = 0.25  # factor by which photos are reduced for the colour around a vertex
_DETAIL_SIGMA = 3.0  # px of the reduced photo, over which the contrast is averaged
_LEAST_DETAIL = 1.0  # level; smaller contrast is noise
_REMAP_ROW = 16_384  # OpenCV's remap accepts at most 32,767 columns


def view_weights(mesh: Mesh, doubtful: Mask, views: Sequence[View], caster: Caster, progress: StageProgress) -> Singles:
    """(vertices, views): how well each view sees each vertex, in square pixels per unit of area; 0: not at all.

    `doubtful` (vertices,) is where no point is near the surface. There, flat angles do not count.
    """
    normals = mesh.normals()
    least = np.where(doubtful, _DOUBTFUL_COSINE, _GRAZING_COSINE)
    weights = np.zeros((len(mesh.vertices), len(views)), dtype=np.float32)
    for index, view in enumerate(views):
        weights[:, index] = _view_weight(mesh.vertices, normals, least, view, caster)
        progress((index + 1) / len(views), f"visibility {index + 1}/{len(views)}")
    return weights


def unseen_share(mesh: Mesh, weights: Singles) -> float:
    """Return the share of the surface's area, 0 to 1, of the faces without a corner that a view sees."""
    areas = mesh.areas()
    unseen = weights.max(axis=1)[mesh.faces].max(axis=1) == 0
    return float(areas[unseen].sum() / areas.sum())


def best_shares(weights: Singles) -> Singles:
    """(vertices, views): the `weights` of each vertex's best views, scaled to sum to 1; 0 for other views."""
    shares = weights.copy()
    if shares.shape[1] > _PHOTOS_PER_VERTEX:
        threshold = np.partition(shares, -_PHOTOS_PER_VERTEX, axis=1)[:, -_PHOTOS_PER_VERTEX]
        shares[shares < threshold[:, None]] = 0
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return shares


def _view_weight(points: Doubles, normals: Doubles, least: Doubles, view: View, caster: Caster) -> Singles:
    camera = view.camera
    pixels, depth = camera.project(points)
    margin = np.minimum(pixels, np.array([camera.width - 1, camera.height - 1]) - pixels).min(axis=1)
    fade = np.clip(margin / (_BORDER * max(camera.width, camera.height)), 0.0, 1.0)
    to_camera = camera.centre - points
    distance = np.linalg.norm(to_camera, axis=1)
    cosine = (to_camera * normals).sum(axis=1) / distance
    candidate = np.flatnonzero((depth > 0) & (margin > 0) & (cosine > least))
    candidate = candidate[view.shows(pixels[candidate])]
    seen = candidate[caster.sees(points[candidate], normals[candidate], camera.centre)]
    weight = np.zeros(len(points), dtype=np.float32)
    sharpness = camera.intrinsics[0, 0] / distance[seen]  # pixels per unit of length
    weight[seen] = fade[seen] * cosine[seen] ** _FRONTAL_POWER * sharpness**2
    return weight


def surroundings(mesh: Mesh, views: Sequence[View], progress: StageProgress) -> tuple[Singles, Singles]:
    """Return what each view shows around the pixel of each vertex of `mesh`, even if the vertex is hidden.

    These are colours (vertices, views, 3), RGB 0 to 255, and the mean contrast of neighbouring pixels (vertices, views)
    in levels, which is low out of focus.
    """
    colours = np.zeros((len(mesh.vertices), len(views), 3), dtype=np.float32)
    detail = np.zeros(colours.shape[:2], dtype=np.float32)
    for index, view in enumerate(views):
        image = view.image()
        edges = np.abs(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F))
        small, contrast = (
            cv2.resize(picture, None, fx=_AROUND, fy=_AROUND, interpolation=cv2.INTER_AREA)
            for picture in (image, edges)
        )
        contrast = np.asarray(cv2.GaussianBlur(contrast, (0, 0), _DETAIL_SIGMA), dtype=np.float32)
        pixels, _ = view.camera.resized(small.shape[1], small.shape[0]).project(mesh.vertices)
        colours[:, index] = sample(np.asarray(small, dtype=np.uint8), pixels)
        detail[:, index] = (
            sample(np.repeat(contrast[:, :, None], 3, axis=2).astype(np.float32), pixels)[:, 0] + _LEAST_DETAIL
        )
        progress((index + 1) / len(views), f"colours {index + 1}/{len(views)}")
    return colours, detail


def vertex_colours(
    mesh: Mesh, views: Sequence[View], shares: Singles, gains: Singles, progress: StageProgress
) -> Singles:
    """(vertices, 3): RGB 0 to 255; grey for a vertex that no view sees.

    `shares` (vertices, views) come from `best_shares`, `gains` (views, 3) from `levelling.gains`.
    """
    colours = np.zeros((len(mesh.vertices), 3), dtype=np.float32)
    for index, view in enumerate(views):
        used = np.flatnonzero(shares[:, index])
        pixels, _ = view.camera.project(mesh.vertices[used])
        colours[used] += sample(view.image(), pixels) * gains[index] * shares[used, index, None]
        progress((index + 1) / len(views), f"colours {index + 1}/{len(views)}")
    colours[~shares.any(axis=1)] = UNSEEN_GREY
    return colours


def sample(image: Pixels | Singles, pixels: Doubles | Singles, interpolation: int = cv2.INTER_LINEAR) -> Singles:
    """(n, 3): `image` (h, w, 3), interpolated at fractional `pixels` (n, 2: column, row) by a method of OpenCV."""
    count = len(pixels)
    rows = -(-count // _REMAP_ROW)
    if count == 0:
        return np.zeros((0, 3), dtype=np.float32)
    padded = np.zeros((2, rows * _REMAP_ROW), dtype=np.float32)
    padded[:, :count] = pixels.T
    columns_of, rows_of = padded.reshape(2, rows, _REMAP_ROW)
    values = cv2.remap(image, columns_of, rows_of, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, dtype=np.float32).reshape(-1, 3)[:count]
