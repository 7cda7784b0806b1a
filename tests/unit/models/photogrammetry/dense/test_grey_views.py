from __future__ import annotations

import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense import grey_views
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

CAMERA = Camera(np.array([[80.0, 0.0, 39.5], [0.0, 80.0, 29.5], [0.0, 0.0, 1.0]]), np.eye(3), np.zeros(3), 80, 60)


@pytest.fixture
def view(tmp_path: Path) -> View:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:, 40:] = 255
    cv2.imwrite(str(tmp_path / "0.png"), picture)
    return View("0.png", tmp_path / "0.png", CAMERA, 1.0, 2.0, ())


def test_few_views_are_held_however_many_are_read(view: View) -> None:
    read = grey_views.reader([view] * 90, 80)
    held = weakref.WeakValueDictionary({index: read(index).grey for index in range(90)})
    assert len(held) == 32
