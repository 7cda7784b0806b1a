"""Hanging places: mounts on which a deletion or a check did not end. All processes of a worker skip them for a while."""

from __future__ import annotations

import re
import time
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.worker.deleting.shared_value import SharedValue

_FIRST_SECONDS = 60.0  # doubled each time
_LAST_SECONDS = 900.0
_ROOT = Path("/")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # in /proc/self/mountinfo

_places = SharedValue("hanging places", {})
"""By place: until when it is left alone (monotonic, the same in all processes), the pause, and the process that still hangs or 0."""


def known() -> tuple[str, ...]:
    """The places that must not be touched now."""
    with _places.held() as places:
        return tuple(
            place for place, (until, _, process) in places.items() if until > time.monotonic() or _is_running(process)
        )


def remember(path: Path, process: int) -> None:
    """A deletion or a check at `path` did not end. `process` could not be killed and still hangs there; 0 if it was killed.

    Job folders are not remembered: without their disk nothing works, and a large folder takes long to delete.
    """
    if path.is_relative_to(config.settings.JOBS_DIR):
        return
    place = str(_place_of(path))
    with _places.held() as places:
        _, before, _ = places.get(place, (0.0, _FIRST_SECONDS / 2, 0))
        pause = min(2 * before, _LAST_SECONDS)
        places[place] = (time.monotonic() + pause, pause, process)


def forget(path: Path) -> None:
    """A deletion or a check at `path` has ended."""
    with _places.held() as places:
        if places:  # otherwise the list of all mounts need not be read, for each deletion
            places.pop(str(_place_of(path)), None)


def _place_of(path: Path) -> Path:
    """The mount that holds the path, found without touching it; if that mount also holds the job folders, the folder above `path`."""
    mounts = [Path(_unescaped(line.split(" ")[4])) for line in Path("/proc/self/mountinfo").read_text().splitlines()]

    def mount_of(one: Path) -> Path:
        above = (mount for mount in mounts if one.is_relative_to(mount))
        return max(above, key=lambda mount: len(mount.parts), default=_ROOT)

    mount = mount_of(path)
    return path.parent if mount in (_ROOT, mount_of(Path(config.settings.JOBS_DIR).absolute())) else mount


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def _is_running(process: int) -> bool:
    """Whether the process still hangs. A killed process that has ended may be a zombie until it is reaped."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")
