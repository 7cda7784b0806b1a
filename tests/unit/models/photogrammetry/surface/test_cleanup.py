from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Mask
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface import cleanup
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from tests.support.engine.geometry import camera, joined, sheet, sphere


def test_surface_far_from_all_points_is_removed() -> None:
    points = sheet().vertices[np.linalg.norm(sheet().vertices, axis=1) < 0.6]
    cleaned = cleanup.without_extrapolation(sheet(), points, spacing=0.05)
    reach = np.linalg.norm(cleaned.vertices, axis=1).max()
    assert 0.6 < reach < 0.6 + 4 * 0.05


def test_the_surface_may_be_farther_from_sparser_points() -> None:
    points = sheet().vertices[sheet().vertices[:, 0] < -0.2]
    spacing = np.where(sheet().vertices[:, 2] > 0, 0.05, 0.2)
    cleaned = cleanup.without_extrapolation(sheet(), points, spacing).vertices
    assert cleaned[cleaned[:, 2] > 0.5, 0].max() < 0.1
    assert cleaned[cleaned[:, 2] < -0.5, 0].max() > 0.3


def test_a_hole_inside_the_points_stays_closed() -> None:
    away = np.linalg.norm(sheet(81).vertices, axis=1)
    cleaned = cleanup.without_extrapolation(sheet(81), sheet(81).vertices[(away > 0.3) & (away < 0.8)], spacing=0.02)
    assert np.linalg.norm(cleaned.vertices, axis=1).min() == pytest.approx(0.0, abs=1e-9)
    assert np.linalg.norm(cleaned.vertices, axis=1).max() < 0.9


def test_a_roof_that_no_photo_shows_is_removed_although_it_has_few_vertices() -> None:
    """A cylinder with a cone of one vertex on it."""
    around, levels = 100, np.linspace(0.0, 1.0, 21)
    angles = np.linspace(0.0, 2 * np.pi, around, endpoint=False)
    wall = np.concatenate([np.column_stack([np.cos(angles), np.full(around, y), np.sin(angles)]) for y in levels])
    here = np.arange(around * (len(levels) - 1))
    beside = here - here % around + (here + 1) % around
    top = np.arange(len(wall) - around, len(wall))
    faces = np.concatenate(
        [
            np.stack([here, beside, beside + around], axis=1),
            np.stack([here, beside + around, here + around], axis=1),
            np.stack([top, np.roll(top, -1), np.full(around, len(wall))], axis=1),
        ]
    )
    mesh = Mesh(np.concatenate([wall, [[0.0, 1.5, 0.0]]]), faces)
    cleaned = cleanup.without_extrapolation(mesh, wall, spacing=0.05).vertices
    assert cleaned[:, 1].max() == 1.0


def test_the_rim_beyond_the_points_is_cut_and_a_hole_inside_stays_closed() -> None:
    away = np.linalg.norm(sheet(81).vertices, axis=1)
    points = sheet(81).vertices[(away > 0.2) & (away < 0.7)]
    cut = sheet(81).with_faces(~cleanup.rim(sheet(81), points, spacing=0.025))
    reach = np.linalg.norm(cut.vertices, axis=1)
    assert 0.7 <= reach.max() < 0.7 + 3 * 0.025
    assert reach.min() == pytest.approx(0.0, abs=1e-9)


def test_the_rim_is_not_cut_between_points_that_are_sparse_there() -> None:
    points = sheet(41).vertices
    sparse = points[::3]
    sparse = np.concatenate([sparse[sparse[:, 0] >= 0.0], points[points[:, 0] < 0.0]])
    cut = sheet(81).with_faces(~cleanup.rim(sheet(81), sparse, spacing=0.05))
    assert cut.areas().sum() > 0.97 * sheet(81).areas().sum()


def test_a_ragged_border_becomes_smoother_and_nothing_else_moves() -> None:
    flat = sheet(21)
    zigzag = flat.vertices.copy()
    right = zigzag[:, 0] == 1.0
    zigzag[right, 0] += 0.04 * (-1.0) ** np.arange(21)
    smooth = cleanup.with_smooth_border(Mesh(zigzag, flat.faces)).vertices
    inner = np.abs(flat.vertices).max(axis=1) < 1.0
    assert smooth[inner] == pytest.approx(flat.vertices[inner])
    assert smooth[right][2:-2, 0] == pytest.approx(np.ones(17), abs=1e-6)


def test_smoothing_removes_noise_and_keeps_the_size() -> None:
    noise = 1 + np.random.default_rng(0).normal(0.0, 0.01, (len(sphere().vertices), 1))
    rough = Mesh(sphere().vertices * noise, sphere().faces)
    radii = np.linalg.norm(cleanup.smoothed(rough, 5).vertices, axis=1)
    assert radii.std() < 0.005
    assert radii.mean() == pytest.approx(1.0, abs=0.005)


def test_smoothing_does_not_move_the_border() -> None:
    border = np.abs(sheet().vertices).max(axis=1) == 1.0
    assert cleanup.smoothed(sheet(), 3).vertices[border] == pytest.approx(sheet().vertices[border])


def test_parts_below_the_ground_are_removed_and_uneven_ground_is_not() -> None:
    pit = np.exp(-((sheet(81).vertices[:, [0, 2]] ** 2).sum(axis=1)) / 0.01)
    uneven = Mesh(sheet(81).vertices - np.stack([0 * pit, pit, 0 * pit], axis=1), sheet(81).faces)
    flat = cleanup.above(uneven, np.array([0.0, 1.0, 0.0]), 0.03)
    assert flat.vertices[:, 1].min() >= -0.03
    assert len(flat.vertices) > 0.9 * len(uneven.vertices)
    assert len(cleanup.above(sheet(), np.array([0.0, 1.0, 0.0]), 0.03).faces) == len(sheet().faces)


NO_POINTS = np.ones(3200, dtype=np.bool_)
POINTS = np.zeros(3200, dtype=np.bool_)


@pytest.fixture
def views(tmp_path: Path) -> Callable[[int, int], list[View]]:
    """Views of 300 px of an upright sheet, the first `blank` of `count` with a blank right half."""
    mask = np.zeros((300, 300), np.uint8)
    mask[:, :150] = 255
    cv2.imwrite(str(tmp_path / "half.png"), mask)
    return lambda blank, count: [
        View("", Path(), camera(0.1 * index, 4.0), 1.0, 9.0, (), tmp_path / "half.png" if index < blank else None)
        for index in range(count)
    ]


def upright(z: float = 0.0) -> Mesh:
    """Return a sheet that faces +z."""
    x, _, depth = sheet().vertices.T
    return Mesh(np.stack([x, -depth, np.full(len(x), z)], axis=1), sheet().faces)


@pytest.mark.parametrize(
    ("blank", "count", "far", "cut"),
    [
        pytest.param(2, 3, POINTS, True, id="two-photos"),
        pytest.param(1, 3, NO_POINTS, False, id="one-photo"),
        pytest.param(2, 11, POINTS, False, id="most-photos-show-it"),
        pytest.param(2, 11, NO_POINTS, True, id="far-from-points"),
    ],
)
def test_surface_in_the_blank_area_of_photos_is_dropped(
    views: Callable[[int, int], list[View]], blank: int, count: int, far: Mask, cut: bool
) -> None:
    kept, _ = cleanup.without_contradictions(upright(), far, views(blank, count))
    assert bool(kept.vertices[:, 0].max() < 0.25) is cut
    assert np.count_nonzero(kept.vertices[:, 0] < -0.01) == 20 * 41


def test_a_blank_area_does_not_drop_what_another_surface_hides(views: Callable[[int, int], list[View]]) -> None:
    whole = joined(upright(), upright(0.5))
    cut, _ = cleanup.without_contradictions(whole, np.concatenate([POINTS, POINTS]), views(3, 3))
    kept = cut.vertices
    assert kept[kept[:, 2] == 0.5, 0].max() < 0.25 < kept[kept[:, 2] == 0.0, 0].max()


@pytest.mark.parametrize(("side", "kept"), [(0.3, False), (0.08, True)], ids=["large", "small"])
def test_unseen_surface_far_from_points_is_cut_at_the_rim_and_inside_if_large(side: float, kept: bool) -> None:
    aside, above = np.abs(upright().middles()[:, :2]).T
    rim, inside = aside > 0.9, np.maximum(aside, above) < side
    cut = cleanup.without_invented(*cleanup.without_contradictions(upright(), rim | inside, []))
    assert np.abs(cut.vertices[:, 0]).max() == pytest.approx(0.9, abs=0.06)
    assert bool(np.linalg.norm(cut.middles(), axis=1).min() < side / 2) is kept
