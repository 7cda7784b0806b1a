"""Cache of programs: one process fills each folder, and shows its progress by a spinner on a terminal or lines in a
log.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from devcluster.files import cache_folder, locked

_TERMINAL_SECONDS = 0.2  # between two frames
_LOG_SECONDS = 30.0  # between two lines: CI systems stop silent builds after minutes
_SPINNER = "|/-\\"
ERASE_LINE = "\r\x1b[K"


def is_cached(name: str) -> bool:
    """Whether the cache has the complete folder `name`."""
    return (cache_folder() / name).exists()


def cached(
    name: str, title: str, make: Callable[[Path, Spinner], None], beside: Callable[[], str] = lambda: ""
) -> Path:
    """Return the folder `name` of the cache. If it does not exist, let `make` fill a new one, and show `title`.

    The folder appears when it is complete. `beside` returns what the progress line adds about other work.
    """
    folder = cache_folder() / name
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock")
    lock.touch()  # the spinner reads it
    with Spinner(title, lock, beside) as progress, locked(lock):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix="new-", dir=folder.parent) as temporary:
                new = Path(temporary) / folder.name
                new.mkdir()
                make(new, progress)
                new.replace(folder)
    return folder


def elapsed(seconds: float) -> str:
    """Return a readable duration: "48 s", "3 min 07 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class Spinner:
    """Shows a title, the elapsed time, and `detail`, which the caller may set at any time.

    A thread draws, so that the spinner moves while the work prints nothing (a linker is silent for half a minute). It
    writes `detail` to the file `shared`, from which a process that waits for the same work, and has no detail of its
    own, reads it.
    """

    def __init__(self, title: str, shared: Path = Path(os.devnull), beside: Callable[[], str] = lambda: "") -> None:
        self._title = title
        self._shared = shared
        self._beside = beside
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)
        self.detail = ""

    def __enter__(self) -> Self:
        if not self._terminal:
            self._print(f"{self._title} ...")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        self._thread.join()
        end = "done" if kind is None else "failed" if issubclass(kind, Exception) else "interrupted"
        erase = ERASE_LINE if self._terminal else ""
        self._print(f"{erase}{self._title}: {end} after {elapsed(time.monotonic() - self._started)}")

    def _draw(self) -> None:
        frames = 0
        while not self._over.wait(_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            line = f"{self._title}: {elapsed(time.monotonic() - self._started)}"
            if self.detail:
                self._shared.write_text(self.detail)
            if detail := self.detail or self._shared.read_text():
                line += f", {detail}"
            if other := self._beside():
                line += f"; {other}"
            if self._terminal:
                self._print(f"{ERASE_LINE}{_SPINNER[frames % len(_SPINNER)]} {line}", end="")
            else:
                self._print(line)
            frames += 1

    def _print(self, text: str, *, end: str = "\n") -> None:
        print(text, end=end, file=sys.stderr, flush=True)
