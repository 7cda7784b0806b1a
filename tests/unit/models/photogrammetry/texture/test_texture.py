from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Pixels
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh
from reconstruction_operator.models.photogrammetry.texture import colour, patches, texture
from reconstruction_operator.models.photogrammetry.texture.patches import Atlas
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph

from tests.support.engine.geometry import BLUE, QUIET, RED, sphere


def baked(photographed: list[View], photographs: list[Photograph]) -> tuple[Atlas, Pixels, float]:
    mesh = sphere(3)
    weights = colour.view_weights(mesh, photographed, Caster(mesh), QUIET)
    paint = texture.mix(mesh, weights, *colour.surroundings(mesh, photographed, QUIET))
    atlas = patches.make(mesh, paint.labels, photographs, np.ones(len(mesh.faces)), size=256, largest=256)
    return atlas, *texture.bake(atlas, photographs, paint, threads=2, progress=QUIET)


def test_a_texture_shows_what_the_photos_show(photographed: list[View], photographs: list[Photograph]) -> None:
    atlas, picture, coverage = baked(photographed, photographs)
    assert 0.5 < coverage < 0.9
    at_vertices = colour.sample(picture, atlas.uv * 256 - 0.5)
    front = atlas.mesh.vertices[:, 2] > 0.3
    left, right = front & (atlas.mesh.vertices[:, 0] < -0.3), front & (atlas.mesh.vertices[:, 0] > 0.3)
    assert np.median(at_vertices[left], axis=0) == pytest.approx(RED, abs=10)
    assert np.median(at_vertices[right], axis=0) == pytest.approx(BLUE, abs=10)


def test_photos_of_different_exposure_give_a_texture_without_steps(
    photographed: list[View], photographs: list[Photograph]
) -> None:
    for index, view in enumerate(photographed):
        cv2.imwrite(str(view.path), np.full((300, 300, 3), 90 + 25 * index, np.uint8))
    _, picture, _ = baked(photographed, photographs)
    assert np.ptp(picture[:, :, 0].astype(int)) < 8  # of 75


def test_each_texel_lies_on_its_triangle() -> None:
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    triangle = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    texels = texture.rasterise(Atlas(triangle, np.arange(3), corners, 64, 1.0, np.ones(1)))
    centres = np.stack([texels.column + 0.5, texels.row + 0.5], axis=1) / 64
    assert 0.32 * 64**2 * 0.95 < len(centres) < 0.32 * 64**2 * 1.15
    assert texels.weights @ corners == pytest.approx(centres, abs=1.0 / 64)


def test_gaps_between_patches_take_the_colours_around_them() -> None:
    picture, painted = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    picture[:, :20] = 200
    painted[:, :20] = 1
    filled = texture.fill_gaps(picture, painted)
    assert (filled == 200).all()
