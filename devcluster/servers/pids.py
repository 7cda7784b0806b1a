"""Process identity: the start time distinguishes a process from a later one with the same pid."""

from __future__ import annotations

from pathlib import Path

# Fields of /proc/<pid>/stat, counted after the command's name: see proc(5), fields 3 and 22.
_STATE = 0
_START_TIME = 19


def start_mark(pid: int) -> str | None:
    """Return when a process started, in the kernel's unit, or None if no such process runs."""
    try:
        # The command's name is in parentheses, and may itself contain parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[_STATE] == "Z" else fields[_START_TIME]
