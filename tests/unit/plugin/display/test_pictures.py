"""Pictures in the terminal: the output of each protocol contains the picture in the right size."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from kubectl_recon.display.pictures import drawn
from kubectl_recon.display.terminal import Terminal
from kubectl_recon.errors import ReconError
from PIL import Image

CELL = (10, 20)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture twice as wide as high: left half red, right half blue, with a transparent band in the middle."""
    made = Image.new("RGBA", (200, 100), (255, 0, 0, 255))
    made.paste((0, 0, 255, 255), (100, 0, 200, 100))
    made.paste((0, 0, 0, 0), (0, 40, 200, 60))
    made.save(tmp_path / "preview_0.png")
    return tmp_path / "preview_0.png"


def test_kitty_graphics_contain_the_picture_as_png_in_chunks(picture: Path) -> None:
    text = drawn(picture, Terminal(80, 40, CELL, kitty=True))

    found = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert found[0][0].startswith("a=T,f=100,q=2,c=60,r=15,")
    assert [head.rpartition("m=")[2] for head, _ in found] == ["1"] * (len(found) - 1) + ["0"]
    assert max(len(chunk) for _, chunk in found) <= 4096
    with Image.open(io.BytesIO(base64.b64decode("".join(chunk for _, chunk in found)))) as sent:
        assert (sent.size, sent.mode) == ((600, 300), "RGB")
        assert [sent.getpixel(at) for at in ((10, 10), (590, 10), (300, 150))] == [
            (255, 0, 0),
            (0, 0, 255),
            (128, 128, 128),
        ]


def test_sixels_contain_the_picture_and_the_cursor_ends_below_it(picture: Path) -> None:
    text = drawn(picture, Terminal(80, 40, CELL, sixel_colours=16))

    assert text.startswith("\n" * 15 + '\x1b[15A\x1b7\x1bPq"1;1;600;300#')
    assert text.endswith("\x1b\\\x1b8\x1b[15B")
    assert [pixel(text, *at) for at in ((10, 10), (590, 10), (300, 150))] == [(100, 0, 0), (0, 0, 100), (50, 50, 50)]


def pixel(text: str, x: int, y: int) -> tuple[int, ...]:
    """Decode a pixel of sixels: red, green and blue in percent."""
    body = text[text.index("#") : text.index("\x1b\\")]
    shades = {int(one): tuple(map(int, rgb)) for one, *rgb in re.findall(r"#(\d+);2;(\d+);(\d+);(\d+)", body)}
    line = re.sub(r"#\d+;2;\d+;\d+;\d+", "", body).split("-")[y // 6]
    for number, run in re.findall(r"#(\d+)([^#$]*)", line):
        values = "".join(one * int(count or 1) for count, one in re.findall(r"(?:!(\d+))?([?-~])", run))
        if x < len(values) and (ord(values[x]) - ord("?")) >> (y % 6) & 1:
            return shades[int(number)]
    return ()


def test_half_blocks_have_two_pixels_a_character(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    lines = drawn(picture, Terminal(80, 40, CELL)).splitlines()

    assert [line.count("▀") for line in lines] == [60] * 15
    assert "\x1b[38;2;255;0;0;48;2;255;0;0m▀" in lines[0]


def test_a_picture_fits_the_screen(picture: Path) -> None:
    lines = drawn(picture, Terminal(80, 13, CELL)).splitlines()

    assert [line.count("▀") for line in lines] == [40] * 10


def test_a_damaged_picture_is_reported(tmp_path: Path) -> None:
    (tmp_path / "preview_0.png").write_bytes(b"not a picture")
    with pytest.raises(ReconError, match=r"preview_0\.png cannot be read"):
        drawn(tmp_path / "preview_0.png", Terminal(80, 24))
