"""Hung mounts: mounts on which a deletion made no progress. Each process of the worker avoids them for a backoff period."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

from reconstruction_operator import config

_FIRST_SECONDS = 60.0  # backoff, doubled each time
_LAST_SECONDS = 900.0
_ROOT = Path("/")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # in /proc/self/mountinfo

_mounts: Final[dict[str, tuple[float, float, int]]] = {}
"""By mount: the end of its backoff (monotonic time), the backoff, and the process that hangs there, or 0."""


def above(path: Path) -> str | None:
    """Return the mount of the path if it must not be accessed now."""
    for mount, (until, _, process) in dict(_mounts).items():
        if path.is_relative_to(mount) and (until > time.monotonic() or _is_running(process)):
            return mount
    return None


def remember(path: Path, process: int) -> None:
    """Record that a deletion at `path` made no progress. `process` hangs there and could not be killed; 0 if it was killed.

    The mount of the job folders is never recorded: no job can run without it.
    """
    if path.is_relative_to(config.settings.JOBS_DIR):
        return
    mount = str(_mount_of(path))
    _, before, _ = _mounts.get(mount, (0.0, _FIRST_SECONDS / 2, 0))
    backoff = min(2 * before, _LAST_SECONDS)
    _mounts[mount] = (time.monotonic() + backoff, backoff, process)


def forget(path: Path) -> None:
    """Record that the mount of `path` responds."""
    if _mounts:  # avoids reading the list of all mounts at each deletion
        _mounts.pop(str(_mount_of(path)), None)


def _mount_of(path: Path) -> Path:
    """Return the mount of the path without accessing it; the parent of `path`, if that mount also holds the job folders."""
    mounts = [Path(_unescaped(line.split(" ")[4])) for line in Path("/proc/self/mountinfo").read_text().splitlines()]

    def innermost(one: Path) -> Path:
        above = (mount for mount in mounts if one.is_relative_to(mount))
        return max(above, key=lambda mount: len(mount.parts), default=_ROOT)

    mount = innermost(path)
    return path.parent if mount in (_ROOT, innermost(Path(config.settings.JOBS_DIR).absolute())) else mount


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def _is_running(process: int) -> bool:
    """Return whether the process still hangs. A killed process may be a zombie until it is reaped."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")
