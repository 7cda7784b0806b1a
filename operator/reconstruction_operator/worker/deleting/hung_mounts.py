"""Hung mounts: mounts on which a deletion or check timed out. The worker avoids them for a backoff period."""

from __future__ import annotations

import re
import time
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.worker.deleting.shared_value import SharedValue

_FIRST_SECONDS = 60.0  # backoff, doubled each time
_LAST_SECONDS = 900.0
_ROOT = Path("/")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # in /proc/self/mountinfo

_mounts = SharedValue("hung mounts", {})
"""By mount: the end of its backoff (monotonic time, the same in all processes), the backoff, and the process that hangs there, or 0."""


def known() -> tuple[str, ...]:
    """Return the mounts that must not be accessed now."""
    with _mounts.held() as mounts:
        return tuple(
            mount for mount, (until, _, process) in mounts.items() if until > time.monotonic() or _is_running(process)
        )


def remember(path: Path, process: int) -> None:
    """Record that a deletion or check at `path` timed out. `process` hangs there and could not be killed; 0 if it was killed.

    The mount of the job folders is never recorded: no job can run without it, and a large folder takes long to delete.
    """
    if path.is_relative_to(config.settings.JOBS_DIR):
        return
    mount = str(_mount_of(path))
    with _mounts.held() as mounts:
        _, before, _ = mounts.get(mount, (0.0, _FIRST_SECONDS / 2, 0))
        backoff = min(2 * before, _LAST_SECONDS)
        mounts[mount] = (time.monotonic() + backoff, backoff, process)


def forget(path: Path) -> None:
    """Record that the mount of `path` responds."""
    with _mounts.held() as mounts:
        if mounts:  # avoids reading the list of all mounts at each deletion
            mounts.pop(str(_mount_of(path)), None)


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
