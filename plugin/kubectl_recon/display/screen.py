"""The terminal, or the file or pipe in its place: its width, and whether it takes colours."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Final, TextIO

_CODES: Final = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}
PHASE_COLOURS: Final = {
    "Failed": "red",
    "Succeeded": "green",
    "Running": "cyan",
    "Cancelled": "dim",
    "Cancelling": "yellow",
    "Suspended": "yellow",
    "New": "dim",
    "Not managed": "dim",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a command prints. `width` is None for a file or a pipe, where nothing is cut."""

    out: TextIO
    width: int | None
    colour: bool

    @property
    def live(self) -> bool:
        """Whether it is a terminal."""
        return self.width is not None

    def print(self, text: str = "", end: str = "\n") -> None:
        """A line, at once."""
        print(text, end=end, file=self.out, flush=True)  # this is where the program prints

    def styled(self, text: str, colour: str) -> str:
        """The text in that colour, where there are colours."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colour and colour and text else text


def screen(out: TextIO | None = None) -> Screen:
    """The program's own output. NO_COLOR and TERM=dumb switch colours off."""
    out = out or sys.stdout
    live = out.isatty()
    colour = live and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return Screen(out, shutil.get_terminal_size().columns if live else None, colour)


def note(text: str) -> None:
    """A line for the person, and not for the program that reads the output."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # the same
