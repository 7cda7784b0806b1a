"""Evidence of the photos: removes surface that they contradict, and surface at the rim that none of them shows.

The fit of the surface closes gaps: sheets between roofs and chimneys, where photos show the sky; the floor of a balcony, which no photo shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.cleanup import without_weak
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.raycast import Caster

_GRAZING_COSINE = 0.15  # minimum; silhouettes are uncertain by a pixel
_FEWEST_BLANK = 2  # photos with a blank area at the face
_LEAST_BLANK_SHARE = 0.2  # of the photos that would show the face: a plain wall may look like sky in some
_MOST = 0.5  # minimum share among the faces around a face
_MARGIN_PX = 1  # by which a face must be inside a blank area


def without_contradictions(mesh: Mesh, far: Mask, views: Sequence[View]) -> Mesh:
    """Return the faces of `mesh` that may exist. `far` (m,): no point is near the face."""
    suspected = np.zeros(len(mesh.vertices), dtype=np.int64)
    for view in views:
        if view.mask is not None:
            inside, pixels = _inside(view, mesh.vertices)
            suspected[inside] += ~view.shows(pixels, _MARGIN_PX)
    doubted = np.flatnonzero(far | (suspected >= _FEWEST_BLANK)[mesh.faces].any(axis=1))
    middles, normals, caster = mesh.middles(), mesh.face_normals(), Caster(mesh)
    blank, seen, seen_blank = np.zeros((3, len(far)), dtype=np.int64)
    for view in views:
        inside, pixels = _inside(view, middles[doubted])
        faces, is_blank = doubted[inside], ~view.shows(pixels, _MARGIN_PX)
        blank[faces] += is_blank
        to_camera = view.camera.centre - middles[faces]
        cosine = (to_camera * normals[faces]).sum(axis=1) / np.linalg.norm(to_camera, axis=1)
        open_to = cosine > _GRAZING_COSINE
        open_to[open_to] = caster.sees(middles[faces[open_to]], normals[faces[open_to]], view.camera.centre)
        seen[faces] += open_to
        seen_blank[faces] += open_to & is_blank
    # Nothing is between a camera and the sky. But a mask may hide what is in front of the object: then the points decide.
    contradicted = far & (blank >= _FEWEST_BLANK)
    contradicted |= (seen_blank >= _FEWEST_BLANK) & (seen_blank >= _LEAST_BLANK_SHARE * seen)
    kept = ~_majority(mesh, contradicted)
    return without_weak(mesh.with_faces(kept), (far & (seen == seen_blank))[kept])


def _majority(mesh: Mesh, chosen: Mask) -> Mask:
    """(m,): the faces around which most faces are `chosen`: its border becomes smooth, and single faces go."""
    corners, count = mesh.faces.ravel(), len(mesh.vertices)
    around = np.bincount(corners, np.repeat(chosen, 3), count) / np.maximum(np.bincount(corners, minlength=count), 1)
    return np.asarray(around[mesh.faces].mean(axis=1) > _MOST)


def _inside(view: View, points: Doubles) -> tuple[Integers, Doubles]:
    """Return the indices of those of `points` (n, 3) that are inside the photo, and their pixels."""
    pixels, depth = view.camera.project(points)
    size = np.array([view.camera.width, view.camera.height])
    inside = np.flatnonzero((depth > 0) & ((pixels >= 0) & (pixels <= size - 1)).all(axis=1))
    return inside, pixels[inside]
