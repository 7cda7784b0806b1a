from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from reconstruction_operator.models.photogrammetry.output import glb
from scipy.spatial import cKDTree

from tests.support.engine.geometry import RED, coloured_square, sphere


def document(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    content_of: dict[str, Any] = json.loads(content[20 : 20 + length])
    return content_of


def write_coloured(path: Path, colour: tuple[float, float, float]) -> Path:
    path.write_bytes(glb.coloured(coloured_square().mesh, np.tile(np.array(colour, np.float32), (4, 1))))
    return path


def test_a_coloured_model_reads_back_with_linear_colours(tmp_path: Path) -> None:
    path = write_coloured(tmp_path / "model.glb", (188.0, 255.0, 0.0))
    loaded = trimesh.load_mesh(path, process=False, skip_materials=True)  # beside a material, it drops the colours
    assert np.asarray(loaded.vertices) == pytest.approx(coloured_square().mesh.vertices)
    assert np.asarray(loaded.faces).tolist() == coloured_square().mesh.faces.tolist()
    # sRGB 188 is half of the light of sRGB 255.
    assert np.asarray(loaded.visual.vertex_colors)[:, :3] == pytest.approx(np.tile([128, 255, 0], (4, 1)), abs=1)


def test_a_textured_model_reads_back_as_it_was_written(tmp_path: Path) -> None:
    square = coloured_square()
    (tmp_path / "model.glb").write_bytes(glb.textured(square))
    loaded = trimesh.load_mesh(tmp_path / "model.glb", process=False)
    picture = np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"))
    assert picture[10, 10] == pytest.approx(np.array(RED), abs=6)
    from_upper_left = np.asarray(loaded.visual.uv) * [1, -1] + [0, 1]
    assert from_upper_left == pytest.approx(square.uv)


def test_a_compressed_model_is_small_and_hardly_moves(tmp_path: Path) -> None:
    mesh = sphere(5)
    uv = np.random.default_rng(0).uniform(size=(len(mesh.vertices), 2))
    model = glb.Textured(mesh, mesh.normals(), uv, coloured_square().texture)
    (tmp_path / "model.glb").write_bytes(glb.compressed(model))
    assert len(glb.compressed(model)) < 0.3 * len(glb.textured(model))
    loaded = trimesh.load_mesh(tmp_path / "model.glb", process=False)
    assert len(loaded.faces) == len(mesh.faces)
    distances, nearest = cKDTree(mesh.vertices).query(loaded.vertices)
    assert distances.max() < 2.0 / 10_000
    assert np.abs(np.asarray(loaded.visual.uv) * [1, -1] + [0, 1] - uv[nearest]).max() < 1.0 / 2_000
    needed = document(tmp_path / "model.glb")["extensionsRequired"]
    assert needed == ["KHR_draco_mesh_compression"]


def start_of_frame(jpeg: bytes) -> bytes:
    """Return the segment of a JPEG that describes its components (ITU T.81, B.2.2)."""
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, at)
        if marker in {0xFFC0, 0xFFC2}:  # baseline, progressive
            return jpeg[at + 4 : at + 2 + length]
        at += 2 + length


@pytest.mark.parametrize("write", [glb.textured, glb.compressed])
def test_the_texture_has_a_colour_for_each_texel(write: Callable[[glb.Textured], bytes], tmp_path: Path) -> None:
    path = tmp_path / "model.glb"
    path.write_bytes(write(coloured_square()))
    content = document(path)
    view = content["bufferViews"][content["images"][0]["bufferView"]]
    binary = 20 + struct.unpack_from("<I", path.read_bytes(), 12)[0] + 8
    jpeg = path.read_bytes()[binary + view["byteOffset"] :][: view["byteLength"]]
    frame = start_of_frame(jpeg)
    samplings = [frame[7 + 3 * component] for component in range(frame[5])]
    assert samplings == [0x11, 0x11, 0x11]
    assert Image.open(io.BytesIO(jpeg)).size == coloured_square().texture.shape[1::-1]


@pytest.mark.parametrize("kind", ["coloured", "textured"])
def test_a_model_has_normals_and_a_non_metallic_material(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.glb"
    if kind == "coloured":
        write_coloured(path, RED)
    else:
        path.write_bytes(glb.textured(coloured_square()))
    content = document(path)
    (primitive,) = content["meshes"][0]["primitives"]
    material = content["materials"][primitive["material"]]
    assert "doubleSided" not in material  # the default: viewers cull backs, of which no photo shows the colour
    surface = material["pbrMetallicRoughness"]
    assert (surface["metallicFactor"], surface["roughnessFactor"]) == (0.0, 1.0)
    normals = np.asarray(trimesh.load_mesh(path, process=False).vertex_normals)
    assert "NORMAL" in primitive["attributes"]
    assert normals == pytest.approx(coloured_square().normals)
