from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.texture import texture
from reconstruction_operator.models.photogrammetry.texture.texture import Atlas


def test_each_texel_lies_on_its_triangle() -> None:
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    triangle = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    texels = texture.rasterise(Atlas(triangle, np.arange(3), corners), 64)
    centres = np.stack([texels.column + 0.5, texels.row + 0.5], axis=1) / 64
    assert 0.32 * 64**2 * 0.95 < len(centres) < 0.32 * 64**2 * 1.15
    assert texels.weights @ corners == pytest.approx(centres, abs=1.0 / 64)


def test_gaps_between_charts_take_the_colours_around_them() -> None:
    picture, painted = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    picture[:, :20] = 200
    painted[:, :20] = 1
    filled = texture.fill_gaps(picture, painted)
    assert (filled == 200).all()
