from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Pixels
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh
from reconstruction_operator.models.photogrammetry.texture import colour, patches, texture
from reconstruction_operator.models.photogrammetry.texture.patches import Atlas
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph

from tests.support.engine.geometry import BLUE, QUIET, RED, sphere


@dataclass
class Baked:
    """A texture of a sphere, with all that it comes from."""

    atlas: Atlas
    paint: texture.Paint
    picture: Pixels
    coverage: float


def baked(photographed: list[View], photographs: list[Photograph], size: int = 256) -> Baked:
    mesh = sphere(3)
    weights = colour.view_weights(
        mesh,
        np.zeros(len(mesh.vertices), dtype=np.bool_),
        photographed,
        Caster(mesh),
        QUIET,
    )
    paint = texture.mix(mesh, weights, *colour.surroundings(mesh, photographed, QUIET))
    atlas = patches.make(mesh, paint.labels, photographs, np.ones(len(mesh.faces)), size=size, largest=size)
    return Baked(atlas, paint, *texture.bake(atlas, photographs, paint, threads=2, progress=QUIET))


def test_a_texture_shows_what_the_photos_show(photographed: list[View], photographs: list[Photograph]) -> None:
    result = baked(photographed, photographs)
    atlas, picture = result.atlas, result.picture
    assert 0.5 < result.coverage < 0.9
    at_vertices = colour.sample(picture, atlas.uv * 256 - 0.5)
    front = atlas.mesh.vertices[:, 2] > 0.3
    left, right = front & (atlas.mesh.vertices[:, 0] < -0.3), front & (atlas.mesh.vertices[:, 0] > 0.3)
    assert np.median(at_vertices[left], axis=0) == pytest.approx(RED, abs=10)
    assert np.median(at_vertices[right], axis=0) == pytest.approx(BLUE, abs=10)


def test_a_texture_keeps_the_colour_of_single_pixels(photographed: list[View], photographs: list[Photograph]) -> None:
    pictures = np.random.default_rng(0).integers(40, 216, (4, 300, 300, 3), np.uint8)
    for view, picture in zip(photographed, pictures, strict=True):
        cv2.imwrite(str(view.path), picture[:, :, ::-1])
    result = baked(photographed, photographs, 1024)
    atlas, picture, paint = result.atlas, result.picture, result.paint
    for index, photograph in enumerate(photographs):
        faces = np.flatnonzero((paint.labels.uses.sum(axis=1) == 1) & (paint.labels.face == index) & paint.labels.whole)
        middles = Mesh(atlas.mesh.vertices, atlas.mesh.faces[faces]).middles()
        sampled = colour.sample(picture, atlas.uv[atlas.mesh.faces[faces]].mean(axis=1) * atlas.size - 0.5)
        expected = colour.sample(pictures[index], photograph.camera.project(middles)[0], cv2.INTER_CUBIC)
        for channel in range(3):
            assert np.corrcoef(sampled[:, channel], expected[:, channel])[0, 1] > 0.9


def test_the_surface_fades_to_grey_towards_what_no_photo_shows(
    photographed: list[View], photographs: list[Photograph]
) -> None:
    result = baked(photographed, photographs, 1024)
    atlas, picture, paint = result.atlas, result.picture, result.paint
    unseen = paint.seen[atlas.original] == 0.0
    grey = colour.sample(picture, atlas.uv[unseen] * atlas.size - 0.5)
    assert unseen.sum() > 50
    assert np.abs(grey - 128.0).max(axis=1).mean() < 30.0
    hidden = (paint.labels.face < 0)[:, None].repeat(3, axis=1).ravel()
    at_hidden = colour.sample(picture, atlas.uv[atlas.mesh.faces].reshape(-1, 2)[hidden] * atlas.size - 0.5)
    assert at_hidden == pytest.approx(np.full(at_hidden.shape, 128.0), abs=0.6)


def test_a_texture_does_not_depend_on_the_order_in_which_threads_add_photos(
    photographed: list[View], photographs: list[Photograph], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(0).integers(40, 216, (4, 300, 300, 3), np.uint8)
    for view, picture in zip(photographed, pictures, strict=True):
        cv2.imwrite(str(view.path), picture[:, :, ::-1])
    result = baked(photographed, photographs, 1024)
    labels, shares = result.paint.labels, np.random.default_rng(1).random((len(sphere(3).vertices), 4), np.float32)
    # All photos at each texel: two alone add up to the same in either order.
    blended = replace(labels, shares=shares / shares.sum(axis=1, keepdims=True), uses=np.ones_like(labels.uses))
    paint = replace(result.paint, labels=blended)

    def backwards(function: Callable[[int], None], items: Sequence[int], *_: object) -> None:
        for item in reversed(items):
            function(item)

    forwards, _ = texture.bake(result.atlas, photographs, paint, threads=1, progress=QUIET)
    monkeypatch.setattr(parallel, "each", backwards)
    again, _ = texture.bake(result.atlas, photographs, paint, threads=1, progress=QUIET)
    assert (again == forwards).all()


def test_photos_of_different_exposure_give_a_texture_without_steps(
    photographed: list[View], photographs: list[Photograph]
) -> None:
    for index, view in enumerate(photographed):
        cv2.imwrite(str(view.path), np.full((300, 300, 3), 90 + 25 * index, np.uint8))
    picture = baked(photographed, photographs).picture
    assert np.ptp(picture[:, :, 0].astype(int)) < 8  # of 75


def test_each_texel_lies_on_its_triangle() -> None:
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    triangle = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    texels = texture.rasterise(Atlas(triangle, np.arange(3), corners, 64, 1.0, np.ones(1)))
    centres = np.stack([texels.column + 0.5, texels.row + 0.5], axis=1) / 64
    assert 0.32 * 64**2 * 0.95 < len(centres) < 0.32 * 64**2 * 1.15
    assert texels.weights @ corners == pytest.approx(centres, abs=1.0 / 64)


def test_gaps_between_patches_take_the_colours_around_them() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    painted = np.zeros((64, 64), np.uint8)
    picture[:, :20] = 200
    painted[:, :20] = 1
    filled = texture.fill_gaps(picture, painted)
    assert (filled == 200).all()
