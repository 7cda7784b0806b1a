"""Terminal: detects which pictures it can show, and the size of its cells.

All queries are sent at once. The last one requests the device attributes, which every terminal reports. A feature that the terminal
has not reported before is missing. The timeout is long, for slow networks; keys that are pressed meanwhile are lost.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

try:
    import fcntl
    import termios
    import tty
except ImportError:  # Windows: no queries, so half blocks
    termios = None  # type: ignore[assignment]

_DEVICE: Final = Path("/dev/tty")
_WAIT_SECONDS: Final = 1.5
_KITTY: Final = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_COLOURS: Final = "\x1b[?1;1;0S"
_CELL: Final = "\x1b[16t"
_ATTRIBUTES: Final = "\x1b[c"
_ERASE_LINE: Final = "\r\x1b[2K"  # some terminals print unknown queries
_KITTY_ANSWER: Final = re.compile(rb"\x1b_Gi=31;OK\x1b\\")
_COLOURS_ANSWER: Final = re.compile(rb"\x1b\[\?1;0;(\d{1,5})S")
_CELL_ANSWER: Final = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_ATTRIBUTES_ANSWER: Final = re.compile(rb"\x1b\[\?([\d;]+)c")
_SIXEL: Final = b"4"  # among the attributes
_USUAL_COLOURS: Final = 256
_USUAL_CELL: Final = (10, 20)


@dataclass(frozen=True, slots=True)
class Terminal:
    """Features of a terminal. `cell`: width and height of a character in px. `sixel_colours`: 0 without sixel."""

    columns: int
    lines: int
    cell: tuple[int, int] = _USUAL_CELL
    kitty: bool = False
    sixel_colours: int = 0


def detect() -> Terminal:
    """Query the terminal of this process. One that does not respond shows text only."""
    columns, lines = shutil.get_terminal_size()
    answer, cell = b"", None
    if termios is not None:
        # The terminal is opened directly: stdin may be redirected.
        with suppress(OSError, termios.error), _DEVICE.open("r+b", buffering=0) as device:
            if os.tcgetpgrp(device.fileno()) == os.getpgrp():  # in the background, reading would stop the process
                answer = _answer(device.fileno())
                cell = _cell(device.fileno())
    return parse(answer, columns, lines, cell)


def parse(answer: bytes, columns: int, lines: int, cell: tuple[int, int] | None = None) -> Terminal:
    """Return the terminal with this response. `cell`: the size of a character in px, as the kernel reports it."""
    attributes = _ATTRIBUTES_ANSWER.search(answer)
    sixel = attributes is not None and _SIXEL in attributes[1].split(b";")
    registers = _COLOURS_ANSWER.search(answer)
    colours = min(int(registers[1]), _USUAL_COLOURS) if registers else _USUAL_COLOURS
    size = _CELL_ANSWER.search(answer)
    reported = (int(size[2]), int(size[1])) if size else None
    return Terminal(
        columns,
        lines,
        next((one for one in (cell, reported) if one and min(one) > 0), _USUAL_CELL),
        kitty=_KITTY_ANSWER.search(answer) is not None,
        sixel_colours=colours if sixel and colours > 1 else 0,
    )


def _answer(device: int) -> bytes:
    """Return the terminal's response to all queries. Late responses are dropped, so that the shell does not read them."""
    before = termios.tcgetattr(device)
    tty.setcbreak(device, termios.TCSADRAIN)
    answer, deadline = b"", time.monotonic() + _WAIT_SECONDS
    try:
        os.write(device, f"{'' if _is_multiplexed() else _KITTY}{_COLOURS}{_CELL}{_ATTRIBUTES}".encode())
        while not _ATTRIBUTES_ANSWER.search(answer):
            if not select.select([device], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            answer += os.read(device, 1024)
        os.write(device, _ERASE_LINE.encode())
    finally:
        termios.tcsetattr(device, termios.TCSAFLUSH, before)
    return answer


def _is_multiplexed() -> bool:
    """Return whether tmux or screen is in between, which would set its window's title to the kitty query."""
    return "TMUX" in os.environ or os.environ.get("TERM", "").startswith(("tmux", "screen"))


def _cell(device: int) -> tuple[int, int] | None:
    """Return width and height of a character in px, as the kernel reports them; 0 if they are unknown."""
    lines, columns, width, height = struct.unpack("HHHH", fcntl.ioctl(device, termios.TIOCGWINSZ, bytes(8)))
    return (width // columns, height // lines) if columns and lines else None
