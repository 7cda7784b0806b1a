from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Mask
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface import evidence
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from tests.support.engine.geometry import camera, joined, sheet

NO_POINTS, POINTS = np.ones(3200, dtype=np.bool_), np.zeros(3200, dtype=np.bool_)


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
    kept = evidence.without_contradictions(upright(), far, views(blank, count))
    assert bool(kept.vertices[:, 0].max() < 0.25) is cut
    assert np.count_nonzero(kept.vertices[:, 0] < -0.01) == 20 * 41


def test_a_blank_area_does_not_drop_what_another_surface_hides(views: Callable[[int, int], list[View]]) -> None:
    whole = joined(upright(), upright(0.5))
    kept = evidence.without_contradictions(whole, np.concatenate([POINTS, POINTS]), views(3, 3)).vertices
    assert kept[kept[:, 2] == 0.5, 0].max() < 0.25 < kept[kept[:, 2] == 0.0, 0].max()


def test_unseen_surface_far_from_points_is_cut_at_the_rim_and_kept_inside() -> None:
    aside, above = np.abs(upright().middles()[:, :2]).T
    rim, inside = aside > 0.9, np.maximum(aside, above) < 0.3
    kept = evidence.without_contradictions(upright(), rim | inside, [])
    assert np.abs(kept.vertices[:, 0]).max() == pytest.approx(0.9, abs=0.06)
    assert len(kept.faces) == 3200 - int(rim.sum())
