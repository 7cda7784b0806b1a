"""Drawing: the cube as a mesh that other programs read, and as pictures."""

from __future__ import annotations

import io
import json
import struct

import pytest
import trimesh
from PIL import Image
from reconstruction_operator.models import drawing

TOP, LEFT, RIGHT, BACKGROUND = (236, 203, 120), (92, 140, 190), (205, 92, 82), (245, 245, 245)


def picture(size: int, *, mirrored: bool = False) -> Image.Image:
    with Image.open(io.BytesIO(drawing.cube_png(size, mirrored=mirrored))) as image:
        image.load()
        return image.copy()


@pytest.mark.parametrize("side", [0.25, 1.0, 3.0])
def test_the_cube_has_its_side_around_the_origin_and_faces_outwards(side: float) -> None:
    mesh = trimesh.load(io.BytesIO(drawing.cube_glb(side)), file_type="glb", force="mesh")

    assert mesh.bounds.tolist() == [[-side / 2] * 3, [side / 2] * 3]
    assert mesh.volume == pytest.approx(side**3)  # negative if a face is inside out


def test_the_file_is_a_glb_whose_parts_have_the_lengths_that_it_names() -> None:
    data = drawing.cube_glb()
    magic, version, length, text_length, kind = struct.unpack_from("<4sIII4s", data)
    document = json.loads(data[20 : 20 + text_length])
    (binary_length,) = struct.unpack_from("<I", data, 20 + text_length)

    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    assert text_length % 4 == binary_length % 4 == 0
    assert 0 <= binary_length - document["buffers"][0]["byteLength"] < 4
    assert "simulated" in document["asset"]["generator"]


@pytest.mark.parametrize("size", [16, 100, 256])
def test_a_picture_has_its_size_and_three_faces_before_a_background(size: int) -> None:
    image = picture(size)
    colours = {colour for _, colour in image.getcolors() or []}

    assert (image.size, image.mode) == ((size, size), "RGB")
    assert colours == {TOP, LEFT, RIGHT, BACKGROUND}


@pytest.mark.parametrize(
    ("mirrored", "left", "right"),
    [pytest.param(False, LEFT, RIGHT, id="one side"), pytest.param(True, RIGHT, LEFT, id="the other side")],
)
def test_the_other_side_shows_the_side_faces_exchanged(
    mirrored: bool, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    image = picture(100, mirrored=mirrored)
    places = [(50, 30), (30, 60), (70, 60), (2, 2)]

    assert [image.getpixel(place) for place in places] == [TOP, left, right, BACKGROUND]
