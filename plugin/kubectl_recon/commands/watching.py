"""`watch`, and following of a submitted job: bars with step, time left and place in line, and Events."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kubectl_recon.commands.listing import phase_colour
from kubectl_recon.display.formats import Format, change
from kubectl_recon.display.screen import Screen, note, screen
from kubectl_recon.errors import UsageError
from kubectl_recon.jobs import outcomes
from kubectl_recon.jobs.attention import attention, phase_text, photos_text, reason_text, result_text, time_text
from kubectl_recon.jobs.job import Job, JobEvent, label
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.job_watch import JobWatch, Key, Update
from kubectl_recon.targets.selecting import Selection, select

_TICK_SECONDS: Final = 0.5
_PICTURES_PER_SECOND: Final = 4
_ROUTINE_PERCENT: Final = 10  # step of the log in a file or pipe
_LEAST_ROWS: Final = 3
_EVENT_ROWS: Final = 6
_BAR_SHARE: Final = 5  # the bar has a fifth of the width
_BAR_MOST_CELLS: Final = 30
_NARROW_CELLS: Final = 100


def run(connection: Connection, selection: Selection, timeout_seconds: int | None, how: Format | None) -> int:
    """Follow jobs that were named or selected by label until they finish, else until Ctrl-C.

    The exit code is that of their outcome.
    """
    jobs = select(connection, selection)
    if selection.selector and not jobs:
        raise UsageError(f"no job has the labels {selection.selector}")
    awaited = {job.key for job in jobs} if selection.names or selection.selector else None
    return follow(connection, selection, awaited, timeout_seconds, how)


def follow(
    connection: Connection,
    selection: Selection,
    awaited: Collection[Key] | None,
    timeout_seconds: int | None = None,
    how: Format | None = None,
) -> int:
    """Follow these jobs until they finish; None: all that are selected, until Ctrl-C.

    The exit code is that of their outcome.
    """
    with JobWatch(connection, selection, awaited) as watch:
        return _follow(watch, timeout_seconds, how)


def _follow(watch: JobWatch, timeout_seconds: int | None, how: Format | None) -> int:
    """Follow until all awaited jobs have finished; forever if none is awaited."""
    awaited = None if watch.awaited is None else set(watch.awaited)
    everywhere = watch.selection.everywhere
    show = _show(watch, how, everywhere=everywhere)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    codes: dict[Key, int] = {}
    listed = False
    with show:
        while awaited is None or codes.keys() < awaited:
            for update in watch.updates(_TICK_SECONDS):
                listed = listed or update == Update()
                show.show_update(update)
                _note_end(codes, update)
            show.refresh()
            if listed and awaited is not None:
                codes |= dict.fromkeys(awaited - watch.jobs.keys() - codes.keys(), outcomes.DELETED)
            if deadline is not None and time.monotonic() >= deadline:
                codes = dict.fromkeys(awaited or {}, outcomes.TIMED_OUT) | codes or {("", ""): outcomes.TIMED_OUT}
                break
    show.ring()  # unless the user ended it
    for key in sorted(key for key, code in codes.items() if code == outcomes.TIMED_OUT and key in watch.jobs):
        note(f"{label(key, everywhere=everywhere)}: not finished after {timeout_seconds} s; it continues")
    return outcomes.of_all(codes.values())


def _note_end(codes: dict[Key, int], update: Update) -> None:
    if update.now is not None and update.now.finished:
        codes[update.now.key] = outcomes.of_job(update.now)
    elif update.now is None and update.before is not None and update.before.key not in codes:
        codes[update.before.key] = outcomes.DELETED


def _show(watch: JobWatch, how: Format | None, *, everywhere: bool) -> _Show:
    where = screen()
    if how is not None:
        return _ChangeStream(where)
    return _Picture(where, watch) if where.live else _ChangeLog(where, watch, everywhere=everywhere)


class _Show:
    """Display of a watch; active during a `with` block."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def show_update(self, update: Update) -> None:
        """Show one update."""

    def refresh(self) -> None:
        """Redraw the display, if it is a drawing."""

    def ring(self) -> None:
        """Ring the bell of a terminal: what was awaited is over."""


class _ChangeStream(_Show):
    """Display for programs: a line of JSON for each change of a job."""

    def __init__(self, where: Screen) -> None:
        self._where = where

    def show_update(self, update: Update) -> None:
        """Print a change of a job. Events are not printed: they are other objects."""
        if update.now is not None:
            self._where.print(change("MODIFIED" if update.before else "ADDED", update.now.raw))
        elif update.before is not None:
            self._where.print(change("DELETED", update.before.raw))


class _ChangeLog(_Show):
    """Display for files, pipes and CI: a line for each important change."""

    def __init__(self, where: Screen, watch: JobWatch, *, everywhere: bool) -> None:
        self._where, self._watch, self._everywhere = where, watch, everywhere
        self._shown: dict[Key, tuple[str, int, str, str]] = {}

    def show_update(self, update: Update) -> None:
        """Print an important change."""
        if update.event is not None and update.event.kind == "Warning":
            self._print(update.event.job, f"{update.event.reason}: {update.event.text}")
        if update.now is not None:
            job, text = update.now, line(update.now, self._watch.connection.api.now())
            state = (phase_text(job), job.percent // _ROUTINE_PERCENT, job.step or job.message, photos_text(job))
            if self._shown.get(update.now.key) != state:
                self._shown[update.now.key] = state
                self._print(update.now.key, text)
        elif update.before is not None:
            self._print(update.before.key, "deleted")

    def _print(self, key: Key, text: str) -> None:
        self._where.print(f"{label(key, everywhere=self._everywhere)}: {text}")


def line(job: Job, now: datetime) -> str:
    """Return a job's state in one line: `Running, 30%, Running reconstruction, 4m left`."""
    parts = [phase_text(job)]
    if job.phase == "Running":
        parts += [job.done, job.step, time_text(job, now), photos_text(job)]
    elif job.message and not job.finished:
        parts.append(job.message)
    elif job.finished:
        parts += [time_text(job, now), reason_text(job) or result_text(job), job.output_uri]
    return ", ".join(part for part in parts if part)


@dataclass
class _Picture(_Show):
    """Display on a terminal: a line with a bar for each job, and the newest Events. The last picture stays."""

    where: Screen
    watch: JobWatch
    _console: Console = field(init=False)
    _live: Live = field(init=False)

    def __post_init__(self) -> None:
        self._console = Console(file=self.where.out, no_color=not self.where.colour, highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            auto_refresh=False,
            refresh_per_second=_PICTURES_PER_SECOND,
        )

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *_: object) -> None:
        self._live.refresh()
        self._live.stop()

    def refresh(self) -> None:
        """Redraw the picture."""
        self._live.refresh()

    def ring(self) -> None:
        """Ring the terminal's bell: its user may be in another window."""
        self.where.print("\a", end="")

    def _draw(self) -> RenderableType:
        size = self._console.size
        # The job's line already has the current step.
        events = [event for event in self.watch.events if not event.text.startswith("Step ")][-_EVENT_ROWS:]
        rows = max(_LEAST_ROWS, size.height - len(events) - 3)
        return picture(list(self.watch.jobs.values()), events, size.width, rows, self.watch.connection.api.now())


def picture(jobs: Sequence[Job], events: Sequence[JobEvent], width: int, rows: int, now: datetime) -> RenderableType:
    """Return a picture of the jobs in at most `rows` lines, with the Events below. `width`: in cells."""
    if not jobs:
        return Text("No jobs yet. Press Ctrl-C to stop.", style="dim")
    ordered = sorted(jobs, key=attention)
    bar_cells = min(_BAR_MOST_CELLS, width // _BAR_SHARE)
    several = len({job.namespace for job in jobs}) > 1
    names = [f"{job.namespace}/{job.name}" if several else job.name for job in ordered[:rows]]
    # Only the last width is variable: otherwise rich would shrink all columns for a long text in the last one.
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", width=min(max(map(len, names)), max(12, width // 4)))
    grid.add_column(no_wrap=True, width=bar_cells)
    grid.add_column(no_wrap=True, justify="right", width=5)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for name, job in zip(names, ordered, strict=False):
        style = phase_colour(job)
        grid.add_row(
            Text(name),
            _bar(job.percent, bar_cells, style),
            Text(job.done),
            Text.assemble((phase_text(job), style), (_details(job, now, width), "dim")),
        )
    parts: list[RenderableType] = [grid]
    if len(ordered) > rows:
        parts.append(Text(f"and {len(ordered) - rows} more", style="dim"))
    for event in events:
        style = "yellow" if event.kind == "Warning" else "dim"
        text = Text.assemble((f"{event.job[1]}  ", "dim"), (f"{event.reason}  ", style), (event.text, "dim"))
        text.no_wrap, text.overflow = True, "ellipsis"
        parts.append(text)
    return Group(*parts)


def _details(job: Job, now: datetime, width: int) -> str:
    """Return the text after the phase: the time first, since a narrow terminal cuts the end."""
    parts = [time_text(job, now), reason_text(job), photos_text(job)]
    if job.phase == "Running":
        parts.append(job.step)
    elif width >= _NARROW_CELLS and not (job.finished or job.verdict):
        parts.append(job.message)
    return "".join(f", {part}" for part in parts if part)


def _bar(percent: int, cells: int, style: str) -> ProgressBar:
    complete, finished = style or "bar.complete", style or "bar.finished"
    return ProgressBar(100, percent, cells, complete_style=complete, finished_style=finished)
