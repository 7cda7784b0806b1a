"""How the demo shows itself: a live picture on a terminal, and lines, only where something changed, in a log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.board import Board, EventView, JobView

_PICTURES_PER_SECOND = 4
_EVENTS_SHOWN = 5
_BAR_CELLS = 30
_INDENT = (0, 0, 0, 4)  # cells above, right, below, left
_LOG_PERCENT = 10  # a log gets a line for every ten percent
_STYLES = {"Succeeded": "green", "Failed": "red", "Cancelled": "yellow", "Cancelling": "yellow", "Running": "cyan"}


class Display(Protocol):
    """What the story needs of a display. Methods may be called from any thread."""

    def __enter__(self) -> Self:
        """Begin to show the board."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show it no more."""

    def title(self, text: str) -> None:
        """A new part of the story."""

    def say(self, text: str) -> None:
        """A sentence of the story."""

    def command(self, text: str) -> None:
        """A command line that is about to run."""

    def output(self, text: str) -> None:
        """What a command printed."""

    def refusal(self, text: str) -> None:
        """What the API server said when it refused something."""

    def board(self, board: Board) -> None:
        """The newest state of everything."""

    def table(self, text: str) -> None:
        """What `kubectl get recon` says now."""

    @property
    def wants_table(self) -> bool:
        """Whether `table` is worth calling."""


class TerminalDisplay:
    """Text above, and below it a picture that is drawn anew: the table, a bar for each job, the newest Events."""

    wants_table = True

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._board = Board()
        self._table = ""
        self._live = Live(
            console=console, get_renderable=self._picture, refresh_per_second=_PICTURES_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def title(self, text: str) -> None:
        self._console.print(Text(f"\n{text}", style="bold"))

    def say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)  # a path that is cut in two cannot be copied

    def command(self, text: str) -> None:
        self._console.print(Text.assemble(("$ ", "dim"), (text, "bold cyan")))

    def output(self, text: str) -> None:
        self._console.print(Padding(Text(text.strip(), style="dim"), _INDENT))

    def refusal(self, text: str) -> None:
        self._console.print(Padding(Text(text.strip(), style="yellow"), _INDENT))

    def board(self, board: Board) -> None:
        with self._lock:
            self._board = board

    def table(self, text: str) -> None:
        with self._lock:
            self._table = text

    def _picture(self) -> RenderableType:
        with self._lock:
            board, table = self._board, self._table
        if not board.jobs:
            return Text("")
        text = Text(table.rstrip() or "…", no_wrap=True, overflow="ellipsis")
        return Group(
            Text(""), Panel(text, title="kubectl get recon", title_align="left", border_style="dim"), *_below(board)
        )


def _below(board: Board) -> list[RenderableType]:
    bars = Table.grid(padding=(0, 1))
    for job in board.jobs.values():
        style = _STYLES.get(job.phase, "")
        bars.add_row(
            Text(f" {job.name}"),
            ProgressBar(total=100, completed=job.percent, width=_BAR_CELLS, finished_style=style or "bar.finished"),
            Text(f"{job.percent:3d}%"),
            Text(job.phase, style=style),
            Text(_step(job), style="dim", no_wrap=True, overflow="ellipsis"),
        )
    events = Table.grid(padding=(0, 1))
    for event in board.events[-_EVENTS_SHOWN:]:
        style = "yellow" if event.kind == "Warning" else "dim"
        events.add_row(
            Text(f" {event.at:4.0f} s", style="dim"),
            Text(event.job),
            Text(event.reason, style=style),
            Text(event.message, style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return [bars, events]


class LogDisplay:
    """Lines with the seconds since the start, without control codes."""

    wants_table = False

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, tuple[str, int, int]] = {}
        self._events_told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def title(self, text: str) -> None:
        self._line(f"== {text}")

    def say(self, text: str) -> None:
        self._line(text)

    def command(self, text: str) -> None:
        self._line(f"$ {text}")

    def output(self, text: str) -> None:
        self._line(_indented(text))

    def refusal(self, text: str) -> None:
        self._line(_indented(text))

    def table(self, text: str) -> None:
        self._line(text)

    def board(self, board: Board) -> None:
        with self._lock:
            for job in board.jobs.values():
                told = (job.phase, job.step_index, job.percent // _LOG_PERCENT)
                if job.phase and self._told.get(job.name) != told:
                    self._told[job.name] = told
                    self._line(f"{job.name}: {job.phase}, {job.percent}% {_step(job)}".rstrip())
            new: tuple[EventView, ...] = board.events[self._events_told :]
            self._events_told = len(board.events)
            for event in new:
                self._line(f"{event.job}: event {event.reason}: {event.message}")

    def _line(self, text: str) -> None:
        stamp = f"{self._clock():6.1f} s  "
        self._write("\n".join(f"{stamp}{line}" for line in text.splitlines()))


def _step(job: JobView) -> str:
    if job.finished or not job.step:
        return ""
    eta = f", about {job.eta_seconds} s to go" if job.eta_seconds else ""
    return f"{job.step}{eta}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())
