"""Pictures in the terminal: the text contains the picture in the right size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kubectl_recon.display.pictures import drawn
from kubectl_recon.errors import ReconError
from PIL import Image


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture twice as wide as high: left half red, right half blue, with a transparent band in the middle."""
    image = Image.new("RGBA", (200, 100), (255, 0, 0, 255))
    image.paste((0, 0, 255, 255), (100, 0, 200, 100))
    image.paste((0, 0, 0, 0), (0, 40, 200, 60))
    image.save(tmp_path / "preview_0.png")
    return tmp_path / "preview_0.png"


def test_half_blocks_have_two_pixels_a_character(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    lines = drawn(picture, 80, 40).splitlines()

    assert [line.count("▀") for line in lines] == [60] * 15
    assert "\x1b[38;2;255;0;0;48;2;255;0;0m▀" in lines[0]
    assert re.search(r"\x1b\[38;2;12[7-9];12[7-9];12[7-9];48;2;12[7-9];12[7-9];12[7-9]m▀", lines[7])


def test_a_picture_fits_the_screen(picture: Path) -> None:
    lines = drawn(picture, 80, 13).splitlines()

    assert [line.count("▀") for line in lines] == [40] * 10


@pytest.mark.parametrize("content", [b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_a_file_that_is_damaged_or_would_start_a_program_is_rejected(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "preview_0.png").write_bytes(content)
    with pytest.raises(ReconError, match=r"preview_0\.png cannot be read: cannot identify image file"):
        drawn(tmp_path / "preview_0.png", 80, 24)
