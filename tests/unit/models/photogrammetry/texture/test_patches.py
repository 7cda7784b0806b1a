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
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph

from tests.support.engine.geometry import QUIET, sphere

MESH = sphere(3)
EVEN = np.ones(len(MESH.faces))


@pytest.fixture
def labels(photographed: list[View]) -> Labels:
    weights = colour.view_weights(
        MESH,
        np.zeros(len(MESH.vertices), dtype=np.bool_),
        photographed,
        Caster(MESH),
        QUIET,
    )
    return labelling.choose(MESH, weights, np.full((*weights.shape, 3), 100, np.float32))


def sizes(atlas: patches.Atlas, size: int) -> Doubles:
    """(n,): the area of each face in the atlas, in texels."""
    first, second = (atlas.uv[atlas.mesh.faces[:, corner]] - atlas.uv[atlas.mesh.faces[:, 0]] for corner in (1, 2))
    doubled: Doubles = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    return doubled / 2 * size**2


@pytest.mark.parametrize("size", [pytest.param(2048, id="room"), pytest.param(256, id="crowded")])
def test_faces_keep_their_vertices_and_lie_apart(size: int, labels: Labels, photographs: list[Photograph]) -> None:
    atlas = patches.make(MESH, labels, photographs, EVEN, size=size, largest=size)
    assert np.array_equal(atlas.original[atlas.mesh.faces], MESH.faces)
    assert atlas.uv.min() >= 0.0
    assert atlas.uv.max() <= 1.0
    drawn = np.zeros((size, size), np.uint8)
    for triangle in np.rint(atlas.uv[atlas.mesh.faces] * size).astype(np.int32):
        cv2.fillConvexPoly(drawn, triangle, 1)
    assert drawn.sum() > 0.95 * sizes(atlas, size).sum()


@pytest.mark.parametrize(("size", "least", "most"), [(1024, 1.5, 1.5), (128, 0.1, 0.6)], ids=["room", "crowded"])
def test_texels_lie_on_the_pixels_of_the_resized_photo(
    size: int, least: float, most: float, labels: Labels, photographs: list[Photograph]
) -> None:
    atlas = patches.make(MESH, labels, photographs, EVEN, size=size, largest=size)
    assert least <= atlas.scale <= most
    whole = np.flatnonzero(labels.whole & (labels.face == 1))
    pixels = photographs[1].resized(atlas.scale).camera.project(MESH.vertices)[0][MESH.faces[whole]]
    apart = atlas.uv[atlas.mesh.faces[whole]] * size - 0.5 - pixels
    assert apart == pytest.approx(np.rint(apart), abs=1e-6)
    assert np.ptp(apart, axis=1).max() < 1e-6


def test_faces_that_no_photo_shows_share_one_cell(labels: Labels, photographs: list[Photograph]) -> None:
    atlas = patches.make(MESH, labels, photographs, EVEN, size=1024, largest=1024)
    hidden = labels.face < 0
    assert hidden.sum() > 100
    assert len(np.unique(atlas.uv[atlas.mesh.faces[hidden]].reshape(-1, 2), axis=0)) == 1
    assert sizes(atlas, 1024)[~hidden].min() > 0.0


def test_the_atlas_is_larger_where_a_texel_would_be_more_than_two_pixels(
    labels: Labels, photographs: list[Photograph]
) -> None:
    chosen = [patches.make(MESH, labels, photographs, EVEN, size=size, largest=512) for size in (96, 192)]
    assert [atlas.size for atlas in chosen] == [512, 192]


@pytest.mark.parametrize(("size", "share"), [pytest.param(2048, 1.0, id="room"), pytest.param(128, 0.25, id="crowded")])
def test_coarse_faces_get_a_quarter_of_the_texels_in_a_crowded_atlas(
    size: int, share: float, labels: Labels, photographs: list[Photograph]
) -> None:
    right = MESH.vertices[MESH.faces].mean(axis=1)[:, 0] > 0
    coarse = patches.make(MESH, labels, photographs, np.where(right, 2.0, 1.0), size=size, largest=size)
    even = patches.make(MESH, labels, photographs, EVEN, size=size, largest=size)
    seen = labels.whole
    relative = sizes(coarse, size)[seen] / coarse.scale**2 / (sizes(even, size)[seen] / even.scale**2)
    assert np.median(relative[right[seen]]) == pytest.approx(share, rel=0.02)
    assert np.median(relative[~right[seen]]) == pytest.approx(1.0, rel=0.02)
