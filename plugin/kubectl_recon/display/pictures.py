"""Pictures in a terminal: as kitty graphics or sixel, else as coloured half blocks, two pixels a character."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Final

from PIL import Image

from kubectl_recon.display.terminal import Terminal
from kubectl_recon.errors import ReconError

_COLUMNS: Final = 60
_KEPT_LINES: Final = 3  # of the screen, for the picture's name and the prompt
_CHUNK: Final = 4096  # of kitty's protocol
_BAND: Final = 6  # rows of pixels in a sixel
_RUN: Final = re.compile(rb"(.)\1{3,}", re.DOTALL)
_PERCENT: Final = 100


def drawn(path: Path, terminal: Terminal) -> str:
    """Return the picture as text for that terminal, with the newline after it. Raises ReconError if it cannot be read."""
    try:
        with Image.open(path) as opened:
            picture = _plain(opened)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ReconError(f"{path} cannot be read: {error}") from error
    columns, lines = _cells(picture, terminal)
    pixels = picture.resize((columns * terminal.cell[0], lines * terminal.cell[1]), Image.Resampling.LANCZOS)
    if terminal.kitty:
        return _kitty(pixels, columns, lines)
    if terminal.sixel_colours:
        return _sixel(pixels, lines, terminal.sixel_colours)
    return _half_blocks(picture.resize((columns, 2 * lines), Image.Resampling.LANCZOS))


def _plain(picture: Image.Image) -> Image.Image:
    """Replace transparency by grey, which suits light and dark terminals."""
    colours = picture.convert("RGBA")
    ground = Image.new("RGBA", colours.size, (128, 128, 128, 255))
    return Image.alpha_composite(ground, colours).convert("RGB")


def _cells(picture: Image.Image, terminal: Terminal) -> tuple[int, int]:
    """Return the columns and lines of a picture that fits the screen and keeps its shape."""
    width, height = terminal.cell
    shape = picture.height / picture.width * width / height  # lines for each column
    columns = min(_COLUMNS, terminal.columns)
    lines = min(round(columns * shape), max(1, terminal.lines - _KEPT_LINES))
    return max(1, min(columns, round(lines / shape))), max(1, lines)


def _kitty(pixels: Image.Image, columns: int, lines: int) -> str:
    content = io.BytesIO()
    pixels.save(content, "PNG")
    data = base64.b64encode(content.getvalue()).decode()
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    first = f"a=T,f=100,q=2,c={columns},r={lines},"  # q: no responses, which the shell would read as input
    parts = [
        f"\x1b_G{first if index == 0 else 'q=2,'}m={int(index < len(chunks) - 1)};{chunk}\x1b\\"
        for index, chunk in enumerate(chunks)
    ]
    return "".join(parts) + "\n"


def _sixel(pixels: Image.Image, lines: int, colours: int) -> str:
    # Terminals differ in where they leave the cursor after a picture. So the lines are created first, and the cursor restored.
    return f"{chr(10) * lines}\x1b[{lines}A\x1b7{_sixels(pixels, colours)}\x1b8\x1b[{lines}B"


def _sixels(pixels: Image.Image, colours: int) -> str:
    palette = pixels.quantize(colours)
    reduced = pixels.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    width, height = reduced.size
    values, used = reduced.tobytes(), sorted(set(reduced.tobytes()))
    shades = palette.getpalette() or []
    text = [f'\x1bPq"1;1;{width};{height}']
    for one in used:
        red, green, blue = (round(shade * _PERCENT / 255) for shade in shades[3 * one : 3 * one + 3])
        text.append(f"#{one};2;{red};{green};{blue}")
    for top in range(0, height, _BAND):
        bands: dict[int, bytearray] = {}
        for row in range(top, min(top + _BAND, height)):
            bit = 1 << (row - top)
            for column, one in enumerate(values[row * width : (row + 1) * width]):
                if one not in bands:
                    bands[one] = bytearray(b"?" * width)  # "?" is a sixel without pixels
                bands[one][column] += bit
        text.append("$".join(f"#{one}{_packed(bytes(band))}" for one, band in bands.items()) + "-")
    return "".join(text) + "\x1b\\"


def _packed(band: bytes) -> str:
    """Encode runs of one sixel as a count and the sixel."""
    return _RUN.sub(lambda run: b"!%d%s" % (len(run[0]), run[1]), band.rstrip(b"?")).decode()


def _half_blocks(pixels: Image.Image) -> str:
    from rich.console import Console  # noqa: PLC0415  # detects the colours of the terminal
    from rich.segment import Segment, Segments  # noqa: PLC0415
    from rich.style import Style  # noqa: PLC0415

    known = Console(force_terminal=True).color_system
    # TERM=xterm means 16 colours, but every current terminal has 256.
    console = Console(force_terminal=True, color_system="truecolor" if known == "truecolor" else "256")
    data, width, segments = pixels.tobytes(), pixels.width, []
    for line in range(0, pixels.height, 2):
        for column in range(width):
            upper, lower = (3 * (row * width + column) for row in (line, line + 1))
            style = Style(color=f"#{data[upper : upper + 3].hex()}", bgcolor=f"#{data[lower : lower + 3].hex()}")
            segments.append(Segment("▀", style))
        segments.append(Segment.line())
    with console.capture() as captured:
        console.print(Segments(segments), end="")
    return captured.get()
