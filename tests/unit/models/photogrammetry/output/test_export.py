from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from reconstruction_operator.models.photogrammetry.output import export

from tests.support.geometry import RED, coloured_square


def test_a_coloured_model_reads_back_as_it_was_written(tmp_path: Path) -> None:
    colours = np.tile(np.array(RED, np.float32), (4, 1))
    export.write_coloured(tmp_path / "model.glb", coloured_square().mesh, colours)
    loaded = trimesh.load_mesh(tmp_path / "model.glb", process=False)
    assert np.asarray(loaded.vertices) == pytest.approx(coloured_square().mesh.vertices)
    assert np.asarray(loaded.visual.vertex_colors)[:, :3].tolist() == [[200, 30, 20]] * 4


def test_a_textured_model_reads_back_as_it_was_written(tmp_path: Path) -> None:
    square = coloured_square()
    export.write_textured(tmp_path / "model.glb", square.mesh, square.uv, square.texture)
    loaded = trimesh.load_mesh(tmp_path / "model.glb", process=False)
    picture = np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"))
    assert picture[10, 10] == pytest.approx(np.array(RED), abs=6)
    from_upper_left = np.asarray(loaded.visual.uv) * [1, -1] + [0, 1]
    assert from_upper_left == pytest.approx(square.uv)
