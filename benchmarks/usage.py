"""Usage of processes: CPU seconds and memory, each with all its children, also those that have ended."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psutil

_MIB = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its living children, and the children that they have waited for."""
    seconds = 0.0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds


def memory_mib(pid: int) -> float:
    """Resident memory of a process and its children. Pages that they share count once (PSS)."""
    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / _MIB


class CpuMeter:
    """CPU seconds of some processes since the meter was made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = self._now()

    def seconds(self) -> dict[str, float]:
        """CPU seconds so far, by the processes' names."""
        return {name: after - self._before[name] for name, after in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()}


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
