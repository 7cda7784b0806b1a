"""Process identity: pid and start time, which distinguish a process from a later one with the same pid."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Fields of /proc/<pid>/stat, counted after the command's name: see proc(5), fields 3 and 22.
_STATE = 0
_START_TIME = 19


def start_mark(pid: int) -> str | None:
    """Return when a process started, as this system counts, or None where no such process runs."""
    fields = _stat(pid)
    return None if fields is None or fields[_STATE] == "Z" else fields[_START_TIME]


def is_paused(pid: int) -> bool:
    """Whether a process was paused by SIGSTOP."""
    fields = _stat(pid)
    return fields is not None and fields[_STATE] == "T"


def _stat(pid: int) -> list[str] | None:
    try:
        # The command's name is in parentheses and may hold anything, parentheses too.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _stat_by_ps(pid)


def _stat_by_ps(pid: int) -> list[str] | None:
    """Ask ps, on systems without /proc, and answer in /proc's order."""
    command = ["ps", "-o", "state=", "-o", "lstart=", "-p", str(pid)]
    state, _, started = (
        subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip().partition(" ")
    )
    if not state:
        return None
    return [state[0], *[""] * (_START_TIME - 1), started.strip()]
