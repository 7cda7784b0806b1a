from __future__ import annotations

import pytest

from tests.support.engine.geometry import sheet, sphere


def test_normals_of_a_sphere_point_outwards() -> None:
    assert sphere().normals() == pytest.approx(sphere().vertices, abs=0.02)


def test_with_faces_drops_unused_vertices() -> None:
    reduced = sheet().with_faces(sheet().vertices[sheet().faces][:, :, 0].max(axis=1) <= 0)
    assert reduced.vertices[:, 0].max() == 0
    assert reduced.faces.max() == len(reduced.vertices) - 1
