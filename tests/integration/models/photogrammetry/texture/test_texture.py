"""Textures on an atlas from the unwrapping program, in its own process."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Pixels
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.raycast import Caster
from reconstruction_operator.models.photogrammetry.texture import colour, texture

from tests.support.engine.geometry import BLUE, QUIET, RED, sphere


def baked(photographed: list[View], scratch: Path) -> tuple[texture.Atlas, Pixels, float]:
    mesh = sphere(3)
    weights = colour.view_weights(mesh, photographed, Caster(mesh), QUIET)
    paint = texture.mix(mesh, weights, colour.surroundings(mesh, photographed, QUIET))
    atlas = texture.unwrap(mesh, np.ones(len(mesh.faces)), 256, scratch, QUIET)
    return atlas, *texture.bake(atlas, photographed, paint, size=256, threads=2, progress=QUIET)


def test_a_texture_shows_what_the_photos_show(photographed: list[View], tmp_path: Path) -> None:
    atlas, picture, coverage = baked(photographed, tmp_path)
    assert 0.5 < coverage < 0.9
    at_vertices = colour.sample(picture, atlas.uv * 256 - 0.5)
    front = atlas.mesh.vertices[:, 2] > 0.3
    left, right = front & (atlas.mesh.vertices[:, 0] < -0.3), front & (atlas.mesh.vertices[:, 0] > 0.3)
    assert np.median(at_vertices[left], axis=0) == pytest.approx(RED, abs=10)
    assert np.median(at_vertices[right], axis=0) == pytest.approx(BLUE, abs=10)


def test_photos_of_different_exposure_give_a_texture_without_steps(photographed: list[View], tmp_path: Path) -> None:
    for index, view in enumerate(photographed):
        cv2.imwrite(str(view.path), np.full((300, 300, 3), 90 + 25 * index, np.uint8))
    _, picture, _ = baked(photographed, tmp_path)
    assert np.ptp(picture[:, :, 0].astype(int)) < 8  # of 75
