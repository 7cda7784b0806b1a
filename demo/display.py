"""Display of the demo: text lines, and on a terminal a live picture below them. A log gets a line when a job
runs, when it ends, and when the installation has a problem.

With `verbose`, it also shows each command with its output, each Event, and in a log each ten percent.
"""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Self

from kubectl_recon.display.screen import PHASE_COLOURS, VERDICT_COLOURS
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.board import Board, JobView

_PICTURES_PER_SECOND = 4
_EVENTS_SHOWN = 5
_BAR_CELLS = 30
_INDENT_CELLS = 4
_LOG_PERCENT = 10  # a log gets a line every ten percent


class Display:
    """Shows the demo on `console`; in a log, each line has the seconds of `clock`. Thread-safe."""

    def __init__(self, console: Console, clock: Callable[[], float], *, verbose: bool = False) -> None:
        self.verbose = verbose
        self.live = console.is_terminal  # otherwise the console is a log
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._board = Board()
        self._picture = Live(
            console=console, get_renderable=self._draw, refresh_per_second=_PICTURES_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        self._picture.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._picture.stop()

    def title(self, text: str) -> None:
        """Show the title of a new part of the story."""
        self._write(f"\n{text}" if self.live else f"== {text}", "bold")

    def text(self, text: str) -> None:
        """Show a sentence of the story."""
        self._write(text)

    def detail(self, text: str) -> None:
        """Show a sentence of the story if all is to be shown."""
        if self.verbose:
            self._write(text)

    def command(self, text: str) -> None:
        """Show a command that is about to run, if all is to be shown."""
        if self.verbose:
            self._write(f"$ {text}", "bold cyan")

    def output(self, text: str, style: str = "dim") -> None:
        """Show the output of a command, if all is to be shown."""
        if not self.verbose:
            return
        if self.live:
            self._console.print(Padding(Text(text.strip(), style=style), (0, 0, 0, _INDENT_CELLS)))
        else:
            self._write(textwrap.indent(text.strip(), " " * _INDENT_CELLS))

    def refusal(self, text: str) -> None:
        """Show the message of a request that the API server refused."""
        self.output(text, "yellow")

    def board(self, board: Board) -> None:
        """Show the newest state of the jobs, and the Events so far."""
        with self._lock:
            before, self._board = self._board, board
            if not self.live:
                for line in _changes(before, board) if self.verbose else _phases(before, board):
                    self._write(line)
                for line in _problems(before, board):
                    self._write(line)

    def _write(self, text: str, style: str = "") -> None:
        if not self.live:
            text = textwrap.indent(text, f"{self._clock():6.1f} s  ")
        self._console.print(Text(text, style=style), soft_wrap=True)  # wrapped paths could not be copied

    def _draw(self) -> RenderableType:
        """Return the picture: a bar for each job, the newest Events."""
        with self._lock:
            board = self._board
        if not board.jobs:
            return Text("")
        bars = Table.grid(padding=(0, 1))
        events = Table.grid(padding=(0, 1))
        for job in board.jobs.values():
            style = VERDICT_COLOURS.get(job.verdict) or PHASE_COLOURS.get(job.phase.partition(",")[0], "")
            bars.add_row(
                Text(f" {job.name}"),
                ProgressBar(total=100, completed=job.percent, width=_BAR_CELLS, finished_style=style or "bar.finished"),
                Text(f"{job.percent:3d}%"),
                Text(job.phase, style=style),
                Text(_step(job), style="dim", no_wrap=True, overflow="ellipsis"),
            )
        for event in board.events[-_EVENTS_SHOWN:] if self.verbose else ():
            events.add_row(
                Text(f" {event.at:4.0f} s", style="dim"),
                Text(event.job),
                Text(event.reason, style="yellow" if event.kind == "Warning" else "dim"),
                Text(event.message, style="dim", no_wrap=True, overflow="ellipsis"),
            )
        problems = [Text(f" {problem.sentence} What to do: {problem.cure}.", style="red") for problem in board.problems]
        return Group(Text(""), bars, events, *problems)


def _changes(before: Board, board: Board) -> Iterator[str]:
    """Yield a line for each job with a new phase, step or ten percent, and each new Event."""
    for name, job in board.jobs.items():
        old = before.jobs.get(name)
        if job.phase and (old is None or _logged(old) != _logged(job)):
            yield f"{name}: {job.phase}, {job.percent}% {_step(job)}".rstrip()
    for event in board.events[len(before.events) :]:
        yield f"{event.job}: event {event.reason}: {event.message}"


def _problems(before: Board, board: Board) -> Iterator[str]:
    """Yield a line for each new problem of the installation, and one for the end of the last."""
    codes = {problem.code for problem in before.problems}
    for problem in board.problems:
        if problem.code not in codes:  # its text may change each second
            yield f"{problem.sentence} What to do: {problem.cure}."
    if before.problems and not board.problems:
        yield "The installation works again."


def _phases(before: Board, board: Board) -> Iterator[str]:
    """Yield a line for each job that has begun to run, or has finished."""
    for name, job in board.jobs.items():
        old = before.jobs.get(name)
        if (job.phase == "Running" or job.finished) and (old is None or old.phase != job.phase):
            yield f"{name}: {job.phase}"


def _logged(job: JobView) -> tuple[str, int, int]:
    return job.phase, job.step_index, job.percent // _LOG_PERCENT


def _step(job: JobView) -> str:
    if job.finished or not job.step:
        return ""
    eta = f", about {job.eta_seconds} s to go" if job.eta_seconds else ""
    return f"{job.step}{eta}"
