"""Patches: each face gets its own place in the atlas, as large as in its photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster
from reconstruction_operator.models.photogrammetry.texture import colour, labelling, patches
from reconstruction_operator.models.photogrammetry.texture.labelling import Labels

from tests.support.engine.geometry import QUIET, sphere

MESH = sphere(3)
EVEN = np.ones(len(MESH.faces))


@pytest.fixture
def labels(photographed: list[View]) -> Labels:
    weights = colour.view_weights(MESH, photographed, Caster(MESH), QUIET)
    return labelling.choose(MESH, weights, np.full((*weights.shape, 3), 100, np.float32))


def sizes(atlas: patches.Atlas, size: int) -> Doubles:
    """(n,): the area of each face in the atlas, in texels."""
    first, second = (atlas.uv[atlas.mesh.faces[:, corner]] - atlas.uv[atlas.mesh.faces[:, 0]] for corner in (1, 2))
    doubled: Doubles = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    return doubled / 2 * size**2


@pytest.mark.parametrize("size", [pytest.param(2048, id="room"), pytest.param(256, id="crowded")])
def test_faces_keep_their_vertices_and_lie_apart(size: int, labels: Labels, photographed: list[View]) -> None:
    atlas = patches.make(MESH, labels, photographed, EVEN, size)
    assert np.array_equal(atlas.original[atlas.mesh.faces], MESH.faces)
    assert atlas.uv.min() >= 0.0
    assert atlas.uv.max() <= 1.0
    drawn = np.zeros((size, size), np.uint8)
    for triangle in np.rint(atlas.uv[atlas.mesh.faces] * size).astype(np.int32):
        cv2.fillConvexPoly(drawn, triangle, 1)
    assert drawn.sum() > 0.95 * sizes(atlas, size).sum()


def test_with_room_a_texel_is_a_pixel_of_the_photo(labels: Labels, photographed: list[View]) -> None:
    atlas = patches.make(MESH, labels, photographed, EVEN, 1024)
    whole = np.flatnonzero(labels.whole & (labels.face == 1))
    pixels = photographed[1].camera.project(MESH.vertices)[0][MESH.faces[whole]]
    apart = atlas.uv[atlas.mesh.faces[whole]] * 1024 - 0.5 - pixels
    assert atlas.scale == 1.0
    assert apart == pytest.approx(np.rint(apart), abs=1e-6)  # no texel lies between two pixels
    assert np.ptp(apart, axis=1).max() < 1e-6


def test_faces_that_no_photo_shows_whole_have_texels(labels: Labels, photographed: list[View]) -> None:
    atlas = patches.make(MESH, labels, photographed, EVEN, 1024)
    hidden = ~labels.whole
    assert hidden.any()
    assert sizes(atlas, 1024)[hidden].min() >= 8.0


@pytest.mark.parametrize(("size", "share"), [pytest.param(2048, 1.0, id="room"), pytest.param(128, 0.25, id="crowded")])
def test_coarse_faces_get_a_quarter_of_the_texels_in_a_crowded_atlas(
    size: int, share: float, labels: Labels, photographed: list[View]
) -> None:
    right = MESH.vertices[MESH.faces].mean(axis=1)[:, 0] > 0
    coarse = patches.make(MESH, labels, photographed, np.where(right, 2.0, 1.0), size)
    even = patches.make(MESH, labels, photographed, EVEN, size)
    seen = labels.whole
    relative = sizes(coarse, size)[seen] / coarse.scale**2 / (sizes(even, size)[seen] / even.scale**2)
    assert np.median(relative[right[seen]]) == pytest.approx(share)
    assert np.median(relative[~right[seen]]) == pytest.approx(1.0)
