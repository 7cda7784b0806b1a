from __future__ import annotations

import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.dense import views
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.sparse.cameras import STRAIGHT, Camera, Radial, looking_at
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

from tests.support.engine import geometry, scenes
from tests.support.engine.geometry import QUIET

POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 3))


def at_angle(degrees: float) -> Camera:
    eye = 5.0 * np.array([np.sin(np.radians(degrees)), 0.0, np.cos(np.radians(degrees))])
    return looking_at(eye, np.zeros(3), scenes.UP, focal=500.0, size=400)


def aligned(camera: Camera, name: str = "a.jpg", radial: Radial = STRAIGHT, seen: int = 200) -> AlignedPhoto:
    return geometry.photo_of(camera, name, np.arange(seen), radial=radial)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the photos are; the folder of the views is beside it."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def made(folder: Path, photo: AlignedPhoto, points: Doubles = POINTS) -> View:
    model = SparseModel((photo,), points, 0.5)
    undistorted = folder.with_name("out")
    undistorted.mkdir()
    views.undistort(model, folder, undistorted, threads=1, progress=QUIET)
    (view,) = views.of_model(model, undistorted, views.sources_of(model, 1))
    return view


def test_sources_at_a_few_degrees_score_above_nearer_and_farther_ones() -> None:
    cameras = [at_angle(angle) for angle in (0, 1, 9, 60)]
    model = SparseModel(tuple(aligned(camera) for camera in cameras), POINTS, 0.5)
    assert views.choose_sources(model, cameras, 2)[0] == (2, 1)


def test_photos_with_few_common_points_are_not_sources() -> None:
    cameras = [at_angle(0), at_angle(9)]
    model = SparseModel((aligned(cameras[0]), aligned(cameras[1], seen=9)), POINTS, 0.5)
    assert views.choose_sources(model, cameras, 2) == [(), ()]


def test_undistorted_photos_follow_the_pinhole_model(folder: Path) -> None:
    radial = Radial(-0.15, 0.3)
    distorted = np.full((400, 400, 3), 90, np.uint8)
    x, y = 0.2, -0.24  # of the focal length
    factor = 1 - 0.15 * (x**2 + y**2) + 0.3 * (x**2 + y**2) ** 2
    spot = (round(500 * x * factor + 199.5), round(500 * y * factor + 199.5))
    cv2.circle(distorted, spot, 4, (255, 255, 255), -1)
    cv2.imwrite(str(folder / "a.png"), distorted)

    view = made(folder, aligned(at_angle(0), name="a.png", radial=radial))

    rows, columns = np.nonzero(view.image()[:, :, 0] > 200)
    pixel = np.array([columns.mean(), rows.mean(), 1.0])
    assert np.linalg.inv(view.camera.intrinsics) @ pixel == pytest.approx([x, y, 1.0], abs=2e-3)


def test_a_masked_photo_is_grey_outside_its_mask_and_shows_nothing_there(folder: Path) -> None:
    cv2.imwrite(str(folder / "a.jpg"), np.full((400, 400, 3), 250, np.uint8))
    mask = np.zeros((400, 400), np.uint8)
    mask[:, :200] = 255
    cv2.imwrite(str(folder / "a.mask.png"), mask)
    view = made(folder, aligned(at_angle(0)))
    assert view.image()[200, 100].tolist() == pytest.approx([250] * 3, abs=2)
    assert view.image()[200, 300].tolist() == pytest.approx([128] * 3, abs=2)
    places = np.array([[100.0, 200.0], [300.0, 200.0]])
    assert (view.shows(places).tolist(), view.blank(places, 2).tolist()) == ([True, False], [False, True])


def test_the_sky_of_a_photo_is_masked_and_stays_in_the_photo(folder: Path) -> None:
    photo = np.repeat(scenes.texture(2)[:400, :400, None], 3, axis=2)
    photo[:150] = (235, 200, 150)
    cv2.imwrite(str(folder / "a.jpg"), photo)
    view = made(folder, aligned(at_angle(0)), POINTS + np.array([0.0, -1.0, 0.0]))  # below the sky
    assert view.image()[50, 100].tolist() == pytest.approx([150, 200, 235], abs=2)
    assert view.shows(np.array([[100.0, 100.0], [100.0, 300.0]])).tolist() == [False, True]
    visible = view.shown(20, 40)
    assert visible.shape == (40, 20)
    assert visible.mean(axis=1).tolist() == [0.0] * 15 + [1.0] * 25


def test_a_black_border_shows_nothing_and_is_no_proof_that_nothing_is_there(folder: Path) -> None:
    photo = np.repeat(scenes.texture(2)[:400, :400, None], 3, axis=2)
    photo[360:] = 0
    cv2.imwrite(str(folder / "a.jpg"), photo)
    view = made(folder, aligned(at_angle(0)))
    places = np.array([[100.0, 200.0], [100.0, 390.0]])
    assert (view.shows(places).tolist(), view.blank(places, 2).tolist()) == ([True, False], [False, False])
    assert not view.shown(400, 400)[390].any()


def test_few_grey_views_are_held_however_many_are_read(folder: Path) -> None:
    cv2.imwrite(str(folder / "a.jpg"), np.zeros((400, 400, 3), np.uint8))
    read = views.grey_reader([made(folder, aligned(at_angle(0)))] * 90, 80)
    held = weakref.WeakValueDictionary({index: read(index).grey for index in range(90)})
    assert len(held) == 32
