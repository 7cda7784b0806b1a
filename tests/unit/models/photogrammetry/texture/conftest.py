from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph

from tests.support.engine.geometry import BLUE, RED, camera, sphere


@pytest.fixture
def photographed(tmp_path: Path) -> list[View]:
    """Four photos of a sphere, red for x < 0 and blue for x > 0, from the front and the sides, none from behind."""
    views = []
    mesh = sphere()
    for index, (x, z) in enumerate(((-2.5, 2.6), (-0.5, 3.4), (0.6, 3.5), (2.4, 2.5))):
        view_camera = camera(x, z)
        face, weights = Caster(mesh).cast(np.broadcast_to(view_camera.centre, (300 * 300, 3)), view_camera.rays())
        points = np.einsum("nc,ncx->nx", weights, mesh.vertices[mesh.faces[face]])
        picture = np.where(points[:, :1] < 0, RED, BLUE).reshape(300, 300, 3).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture[:, :, ::-1])
        views.append(View(f"{index}.png", tmp_path / f"{index}.png", view_camera, 1.0, 5.0, ()))
    return views


@pytest.fixture
def photographs(photographed: list[View]) -> list[Photograph]:
    """The same photos as the texture uses them."""
    return [Photograph(view.path, view.camera) for view in photographed]
