from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh
from reconstruction_operator.models.photogrammetry.texture import colour

from tests.support.engine.geometry import BLUE, QUIET, RED, sheet, sphere


@pytest.fixture
def weights(photographed: list[View]) -> Singles:
    return colour.best_shares(colour.view_weights(sphere(), photographed, Caster(sphere()), QUIET))


def test_vertices_take_the_colour_that_the_photos_show(photographed: list[View], weights: Singles) -> None:
    colours = colour.vertex_colours(sphere(), photographed, weights, np.ones((4, 3), np.float32), QUIET)
    seen = weights.sum(axis=1) > 0
    x, _, z = sphere().vertices.T
    assert seen[z > 0.5].all()
    assert not seen[z < -0.9].any()
    assert colours[seen & (x < -0.15)] == pytest.approx(np.tile(RED, (int((seen & (x < -0.15)).sum()), 1)), abs=8)
    assert colours[seen & (x > 0.15)] == pytest.approx(np.tile(BLUE, (int((seen & (x > 0.15)).sum()), 1)), abs=8)


def test_unseen_vertices_fade_to_grey_beside_the_nearest_seen_one() -> None:
    line = np.array([[0.0, 0.0, 0.0], [0.3 * colour._FADE, 0.0, 0.0], [1.0, 0.0, 0.0]])  # its diagonal is 1
    colours = np.tile(np.array(RED, np.float32), (3, 1))
    filled = colour.with_neighbours(Mesh(line, np.array([[0, 1, 2]])), colours, np.array([True, False, False]))
    assert filled == pytest.approx(np.array([RED, 0.7 * np.array(RED) + 0.3 * 128, [128] * 3]))


def test_the_unseen_share_is_that_of_the_area_without_a_seen_corner() -> None:
    weights = (sheet(3).vertices[:, :1] < 0).astype(np.float32)
    assert colour.unseen_share(sheet(3), weights) == pytest.approx(0.5)


def test_view_weights_of_a_vertex_sum_to_one_over_its_best_photos(weights: Singles) -> None:
    sums = weights.sum(axis=1)
    assert sums[sums > 0] == pytest.approx(1.0)
    assert (weights > 0).sum(axis=1).max() == 3


def test_a_view_sees_no_vertex_that_its_mask_hides(photographed: list[View]) -> None:
    front = photographed[1]
    mask = np.zeros((300, 300), np.uint8)
    mask[:, 150:] = 255
    cv2.imwrite(str(front.path.with_suffix(".mask.png")), mask)
    masked = replace(front, mask=front.path.with_suffix(".mask.png"))
    mesh = sphere()
    weights = colour.view_weights(mesh, [front, masked], Caster(mesh), QUIET)
    column = front.camera.project(mesh.vertices)[0][:, 0]
    assert (weights[column < 149, 0] > 0).any()
    assert (weights[column < 149, 1] == 0).all()
    assert (weights[column > 150, 1] == weights[column > 150, 0]).all()


def test_a_photo_out_of_focus_shows_less_detail(photographed: list[View]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    sharp, blurred = photographed[1], photographed[2]
    cv2.imwrite(str(sharp.path), noise)
    cv2.imwrite(str(blurred.path), cv2.GaussianBlur(noise, (0, 0), 2.0))
    _, detail = colour.surroundings(sphere(), [sharp, blurred], QUIET)
    front = sphere().vertices[:, 2] > 0.8
    assert (detail[front, 0] > 4 * detail[front, 1]).all()


def test_sample_interpolates_between_pixels() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:, 1] = 100
    assert colour.sample(picture, np.array([[0.0, 0.0], [0.25, 1.0], [1.0, 0.5]]))[:, 0] == pytest.approx(
        [0, 25, 100], abs=2
    )
    assert colour.sample(picture, np.zeros((0, 2))).shape == (0, 3)
