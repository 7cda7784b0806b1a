"""Markers: the scale from printed markers in photos, and what is not taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.placing import markers
from reconstruction_operator.models.photogrammetry.sparse.cameras import STRAIGHT, Camera, looking_at
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

SIDE_M = 0.08
UNITS = 0.2  # the side of the printed markers in the world
PX, BORDER_PX = 100, 20

Printed = tuple[int, int, float, float, float]  # dictionary, number, side, and x and y of the middle in the plane z = 0


def photo_of(camera: Camera, printed: Sequence[Printed]) -> np.ndarray:
    picture = np.full((camera.height, camera.width), 128, dtype=np.uint8)
    for kind, number, side, x, y in printed:
        marker = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(kind), number, PX)
        paper = cv2.copyMakeBorder(marker, *[BORDER_PX] * 4, cv2.BORDER_CONSTANT, value=255)
        half = side * (PX / 2 + BORDER_PX) / PX
        corners = np.array(
            [[x - half, y + half, 0], [x + half, y + half, 0], [x + half, y - half, 0], [x - half, y - half, 0]]
        )
        edge = len(paper) - 0.5
        source = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]], dtype=np.float32)
        onto = cv2.getPerspectiveTransform(source, camera.project(corners)[0].astype(np.float32))
        cv2.warpPerspective(paper, onto, (camera.width, camera.height), picture, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    return picture


def scale(
    folder: Path,
    *printed: Printed,
    of_photo: Sequence[Sequence[Printed]] = (),
    across: float = 0.7,
    focal: float = 700.0,
    aside_px: float = 0.0,
) -> markers.Scale | None:
    """Return the scale by photos that show `printed` (four of them), or what `of_photo` has for each.

    The first photo is `aside_px` beside where its camera has it.
    """
    photos = []
    count = len(of_photo) or 4
    for index in range(count):
        eye = np.array([across * (index - (count - 1) / 2), 0.3, 1.5])
        camera = looking_at(eye, np.zeros(3), np.array([0.0, 1.0, 0.0]), focal=focal, size=600)
        picture = photo_of(camera, of_photo[index] if of_photo else printed)
        if index == 0:
            picture = np.roll(picture, round(aside_px), axis=1)
        cv2.imwrite(str(folder / f"{index}.png"), picture)
        photos.append(AlignedPhoto(f"{index}.png", camera, STRAIGHT, np.zeros(0, dtype=np.int64), np.zeros((0, 2))))
    return markers.scale(SparseModel(tuple(photos), np.zeros((0, 3)), 0.0), folder, SIDE_M, 1)


@pytest.mark.parametrize("kind", markers.DICTIONARIES.values(), ids=markers.DICTIONARIES)
def test_markers_of_a_known_side_give_the_scale_within_half_a_percent(tmp_path: Path, kind: int) -> None:
    scaled = scale(tmp_path, (kind, 7, UNITS, 0.2, 0.1), (kind, 8, UNITS, -0.2, -0.1))
    assert scaled is not None
    assert scaled.metres == pytest.approx(SIDE_M / UNITS, rel=0.005)
    assert (scaled.markers, scaled.photos) == (2, 4)


def test_a_number_that_was_printed_twice_is_ignored(tmp_path: Path) -> None:
    kind = cv2.aruco.DICT_4X4_50
    left, right, other = (kind, 7, UNITS, -0.3, 0.0), (kind, 7, UNITS, 0.3, 0.0), (kind, 9, UNITS, 0.0, 0.3)
    scaled = scale(tmp_path, of_photo=[[left, other], [right, other], [left, other], [right, other]])
    assert scaled is not None
    assert (scaled.metres, scaled.markers) == (pytest.approx(SIDE_M / UNITS, rel=0.005), 1)


@pytest.mark.parametrize(
    ("printed", "across"),
    [
        pytest.param([], 0.7, id="no-marker"),
        pytest.param([(cv2.aruco.DICT_4X4_50, 7, UNITS, 0.0, 0.0)], 0.0, id="photos-from-one-place"),
    ],
)
def test_without_a_marker_seen_from_two_sides_there_is_no_scale(
    tmp_path: Path, printed: list[Printed], across: float
) -> None:
    assert scale(tmp_path, *printed, across=across) is None


ONE = (cv2.aruco.DICT_4X4_50, 7, UNITS, 0.0, 0.0)


@pytest.mark.parametrize("focal", [400.0, 700.0])
def test_corners_count_from_the_centre_of_a_pixel(tmp_path: Path, focal: float) -> None:
    camera = looking_at(np.array([0.4, 0.3, 1.5]), np.zeros(3), np.array([0.0, 1.0, 0.0]), focal=focal, size=600)
    picture = cv2.GaussianBlur(photo_of(camera, [ONE]), (0, 0), 1.0)
    cv2.imwrite(str(tmp_path / "0.png"), picture)
    photo = AlignedPhoto("0.png", camera, STRAIGHT, np.zeros(0, dtype=np.int64), np.zeros((0, 2)))
    (sighting,) = markers._sightings(photo, tmp_path)
    half = UNITS / 2
    printed = np.array([[-half, half, 0.0], [half, half, 0.0], [half, -half, 0.0], [-half, -half, 0.0]])
    projected, _ = camera.project(camera.centre + sighting.rays)
    assert (projected - camera.project(printed)[0]).mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.2)


def test_a_photo_beside_its_camera_is_left_out(tmp_path: Path) -> None:
    scaled = scale(tmp_path, ONE, aside_px=5)
    assert scaled is not None
    assert scaled.metres == pytest.approx(SIDE_M / UNITS, rel=0.005)
    assert scaled.photos == 3


@pytest.mark.parametrize(
    ("photos", "focal", "firm"),
    [
        pytest.param(5, 900.0, True, id="large in five photos"),
        pytest.param(5, 500.0, False, id="small"),
        pytest.param(4, 900.0, False, id="in four photos"),
    ],
)
def test_large_markers_in_many_photos_are_firm(tmp_path: Path, photos: int, focal: float, firm: bool) -> None:
    scaled = scale(tmp_path, of_photo=[[ONE]] * photos, across=0.3, focal=focal)
    assert scaled is not None
    assert scaled.is_firm is firm
    assert scaled.side_px == pytest.approx(focal * UNITS / 1.65, rel=0.05)


def test_the_uncertainty_covers_the_error_and_grows_as_markers_become_smaller(tmp_path: Path) -> None:
    large, small = (scale(tmp_path, of_photo=[[ONE]] * 5, across=0.3, focal=focal) for focal in (900.0, 300.0))
    assert large is not None
    assert small is not None
    assert large.uncertainty < small.uncertainty
    for scaled in (large, small):
        assert abs(scaled.metres / (SIDE_M / UNITS) - 1.0) < scaled.uncertainty < 0.05
