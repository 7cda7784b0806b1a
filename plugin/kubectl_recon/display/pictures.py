"""Pictures in a terminal: as coloured half blocks, two pixels a character, which every colour terminal shows, also in
tmux and over ssh.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from kubectl_recon.errors import ReconError

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")  # Pillow would start Ghostscript for EPS
_COLUMNS: Final = 60
_KEPT_LINES: Final = 3  # of the screen, for the picture's name and the prompt


def drawn(path: Path, columns: int, lines: int) -> str:
    """Return the picture as text that fits a terminal of that size, with the newline after it.

    Raises ReconError if it cannot be read.
    """
    try:
        with Image.open(path, formats=_FORMATS) as opened:
            picture = _plain(opened)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ReconError(f"{path} cannot be read: {error}") from error
    most = min(_COLUMNS, columns), 2 * max(1, lines - _KEPT_LINES)
    scale = min(most[0] / picture.width, most[1] / picture.height)
    size = max(1, round(picture.width * scale)), 2 * max(1, round(picture.height * scale / 2))
    return _half_blocks(picture.resize(size, Image.Resampling.LANCZOS))


def _plain(picture: Image.Image) -> Image.Image:
    """Replace transparency by grey, which suits light and dark terminals."""
    colours = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colours.size, (128, 128, 128, 255)), colours).convert("RGB")


def _half_blocks(pixels: Image.Image) -> str:
    detected = Console(force_terminal=True).color_system
    # TERM=xterm means 16 colours, but every current terminal has 256.
    console = Console(force_terminal=True, color_system="truecolor" if detected == "truecolor" else "256")
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
