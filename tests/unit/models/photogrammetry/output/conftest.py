"""A small scene: three photos around a square, and its sparse points."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at
from reconstruction_operator.models.photogrammetry.sparse.mapping import LeftOut, SparseModel, Why

from tests.support.engine import scenes
from tests.support.engine.geometry import photo_of


@pytest.fixture
def sparse() -> SparseModel:
    """Photos, of which one is left out, of 400 x 400 px at 60 degrees from each other; each sees other 20 of 41 points,
    and none the last.
    """
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (41, 3))
    photos = []
    for index in range(3):
        angle = np.radians(60 * index)
        eye = 3 * np.array([np.sin(angle), 0.4, np.cos(angle)])
        camera = looking_at(eye, np.zeros(3), scenes.UP, focal=500.0, size=400)
        seen = np.arange(index * 10, index * 10 + 20)
        pixels, _ = camera.project(points[seen])
        off = np.array([0.3, 0.4])  # 0.5 px
        photos.append(photo_of(camera, f"{index:04d}.jpg", seen, pixels + off))
    return SparseModel(tuple(photos), points, 0.5, (LeftOut("0003.jpg", Why.NO_FEATURES),))
