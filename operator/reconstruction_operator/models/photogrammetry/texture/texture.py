"""Texture: colours each texel of the atlas from the photo of its face.

Where faces of two photos meet, the photos are blended across one triangle on either side: their shares are interpolated
between its vertices. So seams are invisible, and nothing is blended elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Indices, Integers, Pixels, Singles
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.texture import labelling, levelling
from reconstruction_operator.models.photogrammetry.texture.colour import UNSEEN_GREY, sample
from reconstruction_operator.models.photogrammetry.texture.labelling import Labels
from reconstruction_operator.models.photogrammetry.texture.patches import Atlas
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph

_SUBTEXEL_BITS = 4  # fixed-point bits of the rasteriser
_TEXELS_AT_ONCE = 100_000  # intermediate values stay in the cache
_SHARPNESS = 2  # exponent of the shares where photos meet; a larger one makes the blend narrower
_UNDEFINED_AREA = 1e-12
_UNITS = 1 << 16  # fixed-point units of a level and of a share: whole numbers add up alike in each order of photos


@dataclass(frozen=True, eq=False, slots=True)
class Texels:
    """The texels that are on a triangle."""

    row: Indices  # (t,)
    column: Indices  # (t,)
    face: Indices  # (t,)
    weights: Singles  # (t, 3): barycentric, of the face's vertices


@dataclass(frozen=True, eq=False, slots=True)
class Paint:
    """The colouring of the uncut mesh: the photo of each face, and the colour corrections of the photos."""

    labels: Labels
    gains: Singles  # (views, 3)
    offsets: Singles  # (vertices, views, 3)
    seen: Singles  # (vertices,): 1 where a photo shows the vertex, else 0


def mix(mesh: Mesh, weights: Singles, colours: Singles, detail: Singles) -> Paint:
    """Return the paint for `mesh`, from the `weights` (vertices, views) of the views and what `colour.surroundings`
    returned.
    """
    gains = levelling.gains(colours, weights > 0)
    levelled = colours * gains
    labels = labelling.choose(mesh, weights * detail, levelled)
    offsets = levelling.offsets(mesh, labels, levelled)
    return Paint(labels, gains, offsets, np.asarray(weights.any(axis=1), dtype=np.float32))


def rasterise(atlas: Atlas) -> Texels:
    """Return the triangle and barycentric weights of each covered texel of the texture."""
    size = atlas.size
    owner = np.full((size, size), -1, dtype=np.int32)
    corners = atlas.uv[atlas.mesh.faces] * size - 0.5  # texel centres at whole numbers
    fixed = np.rint(corners * (1 << _SUBTEXEL_BITS)).astype(np.int32)
    for number, triangle in enumerate(fixed):
        cv2.fillConvexPoly(owner, triangle, number, lineType=cv2.LINE_8, shift=_SUBTEXEL_BITS)
    row, column = (places.astype(np.int32) for places in np.nonzero(owner >= 0))
    face = owner[row, column]
    first = corners[:, 0].astype(np.float32)
    to_weights = _to_weights(corners).astype(np.float32)
    weights = np.empty((len(face), 3), dtype=np.float32)
    for start in range(0, len(face), _TEXELS_AT_ONCE):
        chunk = slice(start, start + _TEXELS_AT_ONCE)
        away = np.stack([column[chunk], row[chunk]], axis=1) - first[face[chunk]]
        weights[chunk, 1:] = np.einsum("tx,txw->tw", away.astype(np.float32), to_weights[face[chunk]])
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    np.maximum(weights, 0, out=weights)  # a texel on the border may be a little outside
    weights /= weights.sum(axis=1, keepdims=True)
    return Texels(row, column, face, weights)


def bake(
    atlas: Atlas, photographs: Sequence[Photograph], paint: Paint, *, threads: int, progress: StageProgress
) -> tuple[Pixels, float]:
    """Return the RGB texture (size, size, 3), and the share of the surface that photos cover (0 to 1)."""
    progress(0.0, "laying out the texture")
    size, texels = atlas.size, rasterise(atlas)
    sums = np.zeros((len(texels.face), 4), dtype=np.int32)  # in units: colours times shares, and the shares
    levels = np.unique(atlas.coarseness)
    adding = threading.Lock()

    def add_photo(index: int) -> None:
        if not paint.labels.uses[:, index].any():
            return
        image = photographs[index].resized(min(atlas.scale, 1.0)).image()
        for level in levels:
            here = np.flatnonzero((paint.labels.uses[:, index] & (atlas.coarseness == level))[texels.face])
            add_texels(index, photographs[index].resized(min(atlas.scale / level, 1.0)), image, here)

    def add_texels(index: int, photograph: Photograph, image: Pixels, here: Integers) -> None:
        camera = photograph.camera
        if image.shape[:2] != (camera.height, camera.width):
            reduced = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
            image = np.asarray(reduced, dtype=np.uint8)
        places = camera.homogeneous(atlas.mesh.vertices)
        columns = (places, paint.offsets[atlas.original, index], paint.labels.shares[atlas.original, index, None])
        of_vertices = np.concatenate(columns, axis=1, dtype=np.float32)
        for part in np.array_split(here, len(here) // _TEXELS_AT_ONCE + 1):
            corners = atlas.mesh.faces[texels.face[part]]
            of_texels = np.einsum("tc,tcx->tx", texels.weights[part], of_vertices[corners])
            pixels = photograph.distorted(of_texels[:, :2] / of_texels[:, 2:3])
            colour = sample(image, pixels, cv2.INTER_CUBIC) * paint.gains[index] + of_texels[:, 3:6]
            weight = of_texels[:, 6] ** _SHARPNESS
            added = np.concatenate([colour * weight[:, None], weight[:, None]], axis=1) * np.float32(_UNITS)
            with adding:
                sums[part] += np.rint(added).astype(np.int32)

    parallel.each(
        add_photo,
        range(len(photographs)),
        threads,
        lambda done, of: progress(done / of, f"texture from photo {done}/{of}"),
    )
    covered = sums[:, 3:] > 0
    blended = np.full((len(sums), 3), UNSEEN_GREY, dtype=np.float32)
    np.divide(sums[:, :3], sums[:, 3:], out=blended, where=covered, casting="unsafe", dtype=np.float32)
    # Towards a corner that no photo shows, the colours of a photo are those of something else.
    partly = np.flatnonzero((paint.seen[atlas.original[atlas.mesh.faces]].min(axis=1) == 0.0)[texels.face])
    corners = atlas.original[atlas.mesh.faces[texels.face[partly]]]
    seen = (texels.weights[partly] * paint.seen[corners]).sum(axis=1, keepdims=True)
    blended[partly] = blended[partly] * seen + UNSEEN_GREY * (1.0 - seen)
    texture = np.zeros((size, size, 3), dtype=np.uint8)
    painted = np.zeros((size, size), dtype=np.uint8)
    texture[texels.row, texels.column] = np.clip(np.rint(blended), 0, 255)
    painted[texels.row, texels.column] = 1
    filled = fill_gaps(texture, painted)
    areas = atlas.mesh.areas()
    progress(1.0, f"texture of {size} px")
    return filled, float(areas @ paint.labels.uses.any(axis=1) / areas.sum())


def fill_gaps(texture: Pixels, painted: Pixels) -> Pixels:
    """Fill the gaps between patches with the colours of the nearest texels, so that smaller mip levels do not bleed
    black.
    """
    _, nearest = cv2.distanceTransformWithLabels(1 - painted, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((int(nearest.max()) + 1, 3), dtype=np.uint8)
    colours[nearest[painted > 0]] = texture[painted > 0]
    filled: Pixels = colours[nearest]
    return filled


def _to_weights(corners: Doubles) -> Doubles:
    """(faces, 2, 2): what turns a vector from the first of `corners` (faces, 3, 2) into the weights
    of the other two.
    """
    across, down = np.moveaxis(corners[:, 1:] - corners[:, :1], 2, 0)
    area = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    factor = np.divide(1.0, area, out=np.zeros_like(area), where=np.abs(area) >= _UNDEFINED_AREA)
    adjugate: Doubles = np.stack([down[:, 1], -down[:, 0], -across[:, 1], across[:, 0]], axis=1)
    return np.asarray((adjugate * factor[:, None]).reshape(-1, 2, 2))
