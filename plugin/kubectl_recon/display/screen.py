"""Screen: the output, a terminal or a file or pipe; its width and colours."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Final, TextIO

from reconstruction_operator.api.verdict import Verdict

_CODES: Final = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}
VERDICT_COLOURS: Final = {
    Verdict.FINE.value: "green",
    Verdict.WARNING.value: "yellow",
    Verdict.SIMULATED.value: "yellow",
    Verdict.FAILED.value: "red",
    Verdict.CANCELLED.value: "dim",
}
PHASE_COLOURS: Final = {
    "Running": "cyan",
    "Cancelling": "yellow",
    "Suspended": "yellow",
    "New": "dim",
    "Not managed": "dim",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """Output of a command. `width`: None for a file or a pipe, where no line is cut."""

    out: TextIO
    width: int | None
    colour: bool

    @property
    def live(self) -> bool:
        """Whether it is a terminal."""
        return self.width is not None

    def print(self, text: str = "", end: str = "\n") -> None:
        """Print a line, and flush."""
        print(text, end=end, file=self.out, flush=True)  # the output of the program

    def styled(self, text: str, colour: str) -> str:
        """Return the text in that colour, if the screen has colours."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colour and colour and text else text


def screen(out: TextIO | None = None) -> Screen:
    """Return the screen of an output, by default stdout. NO_COLOR and TERM=dumb disable colours."""
    out = out or sys.stdout
    live = out.isatty()
    colour = live and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return Screen(out, shutil.get_terminal_size().columns if live else None, colour)


def note(text: str) -> None:
    """Print a line on stderr: for people, not for programs that read the output."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # the same
