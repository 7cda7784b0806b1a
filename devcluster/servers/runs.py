"""Runs: a private folder for each run of servers, and the clean-up after launchers that were killed.

A run's folder has certificates, data, logs and `processes.json`. The launcher holds a lock on the folder, which the
kernel releases when the launcher ends: a folder without a lock is left over. Its listed processes are then killed, if
they are still the same (pid and start time), and the folder is removed. Usually the guards have done both; this is for
guards that were killed too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Self

from devcluster.files import locked, runs_folder, write_private
from devcluster.servers.pids import start_mark
from devcluster.waiting import wait_until

_PROCESSES = "processes.json"


class RunFolder:
    """The folder of one run, locked by this process until `close`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        self._processes: dict[str, str] = {}

    @classmethod
    def new(cls, name: str) -> Self:
        """Clean up after killed launchers, and make a new folder."""
        root = runs_folder()
        # Under one lock: a new folder that is not locked yet looks like a left-over one.
        with locked(root / "lock"):
            _sweep(root)
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(folder, lock)

    def remember(self, *pids: int) -> None:
        """List processes that must not outlive this process."""
        for pid in pids:
            mark = start_mark(pid)
            if mark is not None:
                self._processes[str(pid)] = mark
        write_private(self.folder / _PROCESSES, json.dumps(self._processes).encode())

    def close(self) -> None:
        """Remove the folder, once its processes have ended."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def sweep() -> list[Path]:
    """Clean up after killed launchers, and return the folders that were removed."""
    root = runs_folder()
    with locked(root / "lock"):
        return _sweep(root)


def _sweep(root: Path) -> list[Path]:
    removed = []
    for folder in root.iterdir():
        if not folder.is_dir():
            continue
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its guards have just removed it
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            _kill_listed(folder / _PROCESSES)
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
        finally:
            os.close(lock)
    return removed


def _kill_listed(file: Path) -> None:
    try:
        listed: dict[str, str] = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return
    ours = {int(pid): mark for pid, mark in listed.items() if start_mark(int(pid)) == mark}
    for pid in ours:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: all(start_mark(pid) != mark for pid, mark in ours.items()),
        f"the end of the killed processes {sorted(ours)}",
        timeout_seconds=10.0,
    )
