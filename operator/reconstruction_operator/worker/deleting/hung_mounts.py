"""Hung mounts: folders in which a deletion made no progress. Each process of the worker avoids them for five minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from reconstruction_operator import config

_BACKOFF_SECONDS: Final = 300.0

_folders: Final[dict[Path, tuple[float, int]]] = {}
"""By folder: the end of its backoff (monotonic time), and the process that hangs there, or 0."""


def above(path: Path) -> Path | None:
    """Return the folder above the path that must not be accessed now; None if there is none."""
    for folder, (until, process) in dict(_folders).items():
        if path.is_relative_to(folder) and (until > time.monotonic() or _is_running(process)):
            return folder
    return None


def remember(path: Path, process: int) -> None:
    """Record that a deletion at `path` made no progress. `process` hangs there and could not be killed; 0 if it was killed.

    Such processes must not accumulate, so the whole output root is avoided until the process ends.
    """
    roots = (Path(root) for root in config.settings.OUTPUT_ROOTS) if process else ()
    folder = next((root for root in roots if path.is_relative_to(root)), path.parent)
    _folders[folder] = (time.monotonic() + _BACKOFF_SECONDS, process)


def _is_running(process: int) -> bool:
    """Return whether the process still hangs. A killed process may be a zombie until it is reaped."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")
