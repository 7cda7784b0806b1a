"""Photo-consistency: a surface moves to where the photos agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at
from reconstruction_operator.models.photogrammetry.surface import consistency
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from tests.support.engine import scenes
from tests.support.engine.geometry import QUIET, sheet

PIXEL = 4.0 / 500.0  # at the sheet


@pytest.fixture
def views(tmp_path: Path) -> list[View]:
    """Five photos from above of the square at y = 0, with its texture."""
    texture = scenes.texture(1)
    pictures = []
    for index, (x, z) in enumerate(((0.0, 0.0), (-1.2, 0.0), (1.2, 0.0), (0.0, -1.2), (0.0, 1.2))):
        eye = np.array([x, np.sqrt(16.0 - x * x - z * z), z])
        camera = looking_at(eye, np.zeros(3), np.array([0.0, 0.0, 1.0]), focal=500.0, size=400)
        rays = camera.rays()
        points = camera.centre - rays * (camera.centre[1] / rays[:, 1])[:, None]
        places = ((points[:, [0, 2]] + 2.0) / 4.0 * 511).astype(np.float32).reshape(400, 400, 2)
        picture = cv2.remap(texture, places[..., 0], places[..., 1], cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture)
        pictures.append(View(f"{index}.png", tmp_path / f"{index}.png", camera, 3.0, 5.0, ()))
    return pictures


def heights(mesh: Mesh) -> Doubles:
    """The heights of the vertices away from the border of the sheet, in pixels."""
    inner = (np.abs(mesh.vertices[:, [0, 2]]) < 0.9).all(axis=1)
    return np.asarray(mesh.vertices[inner, 1] / PIXEL)


def bumpy(height_px: float) -> Mesh:
    """The sheet with smooth bumps."""
    flat = sheet(61)
    wave = np.sin(6.0 * flat.vertices[:, 0]) * np.cos(5.0 * flat.vertices[:, 2])
    return Mesh(flat.vertices + np.outer(wave * height_px * PIXEL, [0.0, 1.0, 0.0]), flat.faces)


def test_bumps_that_the_photos_contradict_disappear(views: list[View]) -> None:
    before = bumpy(1.5)
    after = consistency.refined(before, views, threads=2, progress=QUIET)
    assert np.abs(heights(before)).mean() > 0.5
    assert np.abs(heights(after)).mean() < 0.15
    assert np.array_equal(after.faces, before.faces)


def test_a_surface_that_fewer_than_two_photos_show_does_not_move(views: list[View]) -> None:
    before = bumpy(1.5)
    after = consistency.refined(before, views[:1], threads=1, progress=QUIET)
    assert after.vertices == pytest.approx(before.vertices)


def test_photos_without_texture_move_nothing(views: list[View]) -> None:
    for view in views:
        cv2.imwrite(str(view.path), np.full((400, 400), 120, np.uint8))
    before = bumpy(1.5)
    after = consistency.refined(before, views, threads=1, progress=QUIET)
    assert after.vertices == pytest.approx(before.vertices)


def test_a_photo_does_not_count_where_its_mask_hides_the_surface(views: list[View]) -> None:
    other = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
    hidden = views[0].path.with_suffix(".mask.png")
    cv2.imwrite(str(hidden), np.zeros((400, 400), np.uint8))
    wrong = [replace(view, mask=hidden) for view in views[:3]]
    for view in wrong:
        cv2.imwrite(str(view.path), other)
    after = consistency.refined(bumpy(1.5), [*wrong, *views[3:]], threads=1, progress=QUIET)
    assert np.abs(heights(after)).mean() < 0.25


def test_a_cancel_during_the_refinement_ends_it(views: list[View]) -> None:
    heard = []

    def report(_: Step, fraction: float, message: str = "", **__: object) -> None:
        heard.append(fraction)
        if message.startswith("surface compared"):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        consistency.refined(bumpy(1.5), views, threads=1, progress=StageProgress(report, Step.POSTPROCESS))
    assert heard == sorted(heard)
    assert heard[-1] < 0.6
