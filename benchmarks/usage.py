"""Usage: CPU seconds and memory of processes with their children."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping

import psutil

_MIB = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, its living children, and the children that they waited for."""
    seconds = 0.0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process and its children. Shared pages count once (PSS)."""
    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / _MIB


class Meter:
    """Measures processes, and the rest of the machine, from the meter's creation until it is read.

    This process is included as `client`: it creates the load and watches the jobs.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._begun = time.monotonic()
        self._before = self._now()
        self._machine = _machine_seconds()

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds so far by process."""
        return {name: after - self._before[name] for name, after in self._now().items()}

    def cpu_per_job(self, count: int) -> dict[str, float]:
        """Return the milliseconds of CPU for each of `count` jobs, as figures."""
        return {
            f"CPU of {name}, ms/job": 1000 * used / count for name, used in self.cpu().items() if name in self._pids
        }

    def cores(self) -> dict[str, float]:
        """Return how many cores each part kept busy, as figures; `others` are processes that are
        not part of the row.
        """
        seconds = time.monotonic() - self._begun
        used = self.cpu()
        others = _machine_seconds() - self._machine - sum(used.values())
        return {f"cores busy: {name}": value / seconds for name, value in (used | {"others": max(0.0, others)}).items()}

    def memory(self) -> dict[str, float]:
        """Return the current resident memory of each process in MiB, as figures."""
        return {f"memory, MiB: {name}": memory_mib(pid) for name, pid in self._pids.items()}

    def _now(self) -> dict[str, float]:
        mine = sum(os.times()[:2])  # without children: the measured ones are children of this process
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()} | {"client": mine}


def _machine_seconds() -> float:
    """Return the CPU seconds of the whole machine since boot, without idle time and waits for a disk."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
