"""The unwrapping program: each face gets its own place in the atlas, and keeps its vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from reconstruction_operator.models.photogrammetry.texture import unwrapping

from tests.support.geometry import sphere


def test_faces_keep_their_vertices_and_lie_in_the_atlas(tmp_path: Path) -> None:
    mesh = sphere(2)
    given = {"vertices": mesh.vertices.astype(np.float32), "faces": mesh.faces.astype(np.uint32)}
    np.savez(tmp_path / "mesh.npz", **given, normals=given["vertices"])

    unwrapping.main(str(tmp_path / "mesh.npz"), str(tmp_path / "atlas.npz"), "256")

    with np.load(tmp_path / "atlas.npz") as atlas:
        original, faces, uv = atlas["original"], atlas["faces"], atlas["uv"]
    assert np.array_equal(np.sort(original[faces], axis=1), np.sort(given["faces"], axis=1))
    assert uv.min() >= 0.0
    assert uv.max() <= 1.0
    first, second = (uv[faces[:, corner]] - uv[faces[:, 0]] for corner in (1, 2))
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum() / 2
    assert 0.2 < area <= 1.0  # of the picture is used, and no two charts lie on each other
