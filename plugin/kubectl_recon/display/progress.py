"""Progress bars, shown on terminals only. They go to stderr, apart from a command's output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(text: str, total: int, *, is_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a bar during a `with` block. The function advances it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # These imports take longer than most commands.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    numbers: ProgressColumn = DownloadColumn() if is_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), numbers, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(text, total=total)
        yield lambda done: display.advance(task, done)


def size_text(number: int) -> str:
    """Return a number of bytes with a unit: "310 MB"."""
    size = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004  # decimal units
            break
        size /= 1000
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"  # noqa: PLR2004  # two digits
