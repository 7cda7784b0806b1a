"""The unwrapping program: each face gets its own place in the atlas, and keeps its vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers
from reconstruction_operator.models.photogrammetry.texture import unwrapping

from tests.support.engine.geometry import sphere


def unwrapped(folder: Path, coarseness: Doubles) -> tuple[Integers, Integers, Doubles]:
    """The original vertices, the faces and the places in the atlas of a sphere."""
    mesh = sphere(2)
    given = {"vertices": mesh.vertices.astype(np.float32), "faces": mesh.faces.astype(np.uint32)}
    np.savez(folder / "mesh.npz", **given, normals=given["vertices"], coarseness=coarseness)
    unwrapping.main(str(folder / "mesh.npz"), str(folder / "atlas.npz"), "256")
    with np.load(folder / "atlas.npz") as atlas:
        return atlas["original"], atlas["faces"], atlas["uv"]


def areas(faces: Integers, uv: Doubles) -> Doubles:
    """(n,): of each face in the atlas."""
    first, second = (uv[faces[:, corner]] - uv[faces[:, 0]] for corner in (1, 2))
    doubled: Doubles = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    return doubled / 2


@pytest.mark.parametrize("level", [pytest.param(1.0, id="one-level"), pytest.param(2.0, id="two-levels")])
def test_faces_keep_their_vertices_and_lie_in_the_atlas(level: float, tmp_path: Path) -> None:
    upper = sphere(2).vertices[sphere(2).faces].mean(axis=1)[:, 1] > 0
    original, faces, uv = unwrapped(tmp_path, np.where(upper, level, 1.0))
    assert np.array_equal(np.sort(original[faces], axis=1), np.sort(sphere(2).faces, axis=1))
    assert uv.min() >= 0.0
    assert uv.max() <= 1.0
    assert 0.2 < areas(faces, uv).sum() <= 1.0  # of the picture is used, and no two charts lie on each other


def test_where_details_are_twice_as_large_faces_get_a_quarter_of_the_texels(tmp_path: Path) -> None:
    upper = sphere(2).vertices[sphere(2).faces].mean(axis=1)[:, 1] > 0
    _, faces, uv = unwrapped(tmp_path, np.where(upper, 2.0, 1.0))
    sizes = areas(faces, uv)
    assert sizes[upper].mean() == pytest.approx(sizes[~upper].mean() / 4, rel=0.1)
