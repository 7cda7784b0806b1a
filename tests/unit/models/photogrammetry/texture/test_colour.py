from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster
from reconstruction_operator.models.photogrammetry.texture import colour

from tests.support.engine.geometry import BLUE, QUIET, RED, sheet, sphere


@pytest.fixture
def weights(photographed: list[View]) -> Singles:
    return colour.best_shares(
        colour.view_weights(
            sphere(), np.zeros(len(sphere().vertices), dtype=np.bool_), photographed, Caster(sphere()), QUIET
        )
    )


def test_vertices_take_the_colour_that_the_photos_show(photographed: list[View], weights: Singles) -> None:
    colours = colour.vertex_colours(sphere(), photographed, weights, np.ones((4, 3), np.float32), QUIET)
    seen = weights.sum(axis=1) > 0
    x, _, z = sphere().vertices.T
    assert seen[z > 0.5].all()
    assert not seen[z < -0.9].any()
    assert colours[seen & (x < -0.15)] == pytest.approx(np.tile(RED, (int((seen & (x < -0.15)).sum()), 1)), abs=8)
    assert colours[seen & (x > 0.15)] == pytest.approx(np.tile(BLUE, (int((seen & (x > 0.15)).sum()), 1)), abs=8)


def test_vertices_that_no_photo_shows_are_grey(photographed: list[View], weights: Singles) -> None:
    colours = colour.vertex_colours(sphere(), photographed, weights, np.ones((4, 3), np.float32), QUIET)
    assert (colours[weights.sum(axis=1) == 0] == 128.0).all()


def test_a_flat_angle_does_not_show_a_surface_without_points(photographed: list[View]) -> None:
    mesh = sphere()
    doubtful = mesh.vertices[:, 1] > 0
    weights = colour.view_weights(mesh, doubtful, photographed[1:2], Caster(mesh), QUIET)[:, 0]
    towards = photographed[1].camera.centre - mesh.vertices
    cosine = (towards * mesh.vertices).sum(axis=1) / np.linalg.norm(towards, axis=1)
    assert cosine[(weights > 0) & doubtful].min() == pytest.approx(0.5, abs=0.05)
    assert cosine[(weights > 0) & ~doubtful].min() == pytest.approx(0.15, abs=0.05)


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
    weights = colour.view_weights(
        mesh,
        np.zeros(len(mesh.vertices), dtype=np.bool_),
        [front, masked],
        Caster(mesh),
        QUIET,
    )
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
