"""Photo bombs: what a decoder must not open; ordinary photos with much data of their own are none."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import TiffImagePlugin
from reconstruction_operator.transfer.photos import bombs

from tests.support.bombs import jpeg_of_scans
from tests.support.photos import make_photo


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(make_photo(), id="JPEG"),
        pytest.param(jpeg_of_scans(900), id="JPEG, 900 scans"),
        pytest.param(make_photo() + b"\xff\xda\0\2" * 2_000, id="JPEG, a video behind it"),
        pytest.param(make_photo(exif=b"Exif\0\0" + b"\xff\xda" * 20_000), id="JPEG, markers in its EXIF data"),
        pytest.param(make_photo("TIFF", tiffinfo={700: bytes(2_000_000)}), id="TIFF, a large XMP packet"),
        pytest.param(make_photo("PNG"), id="PNG"),
        pytest.param(b"II+\0\x08\0\0\0" + b"\xff" * 40, id="BigTIFF, tags behind its end"),
        pytest.param(b"MM\0*\0", id="start of a TIFF"),
    ],
)
def test_ordinary_photos_are_no_bombs(content: bytes) -> None:
    assert bombs.describe(io.BytesIO(content)) == ""


@pytest.mark.parametrize(
    ("head", "layout"),
    [
        pytest.param(b"II+\0\x08\0\0\0", "<QQHHQQ", id="BigTIFF"),
        pytest.param(b"MM\0+", ">IHHHII", id="BigTIFF of the other order, which Pillow reads as a TIFF"),
        pytest.param(b"MM*\0", ">IHHHII", id="wrong order of the head"),
    ],
)
def test_values_are_counted_as_pillow_will_read_them(head: bytes, layout: str) -> None:
    place = len(head) + struct.calcsize(layout[:2])
    content = head + struct.pack(layout, place, 1, 273, 4, 1_000_001, 64)

    assert TiffImagePlugin.ImageFileDirectory_v2(content[:place]).next == place
    assert "values in its tags" in bombs.describe(io.BytesIO(content))
