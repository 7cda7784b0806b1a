"""Usage of processes: CPU seconds and memory, each with all its children, also those that have ended."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping

import psutil

from benchmarks.figures.binding import CORES, OTHERS

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


class Meter:
    """What some processes, and all others of the machine, use from the moment the meter is made until it is read.

    This process is one of them, by the name `client`: it creates the load and watches its end.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._begun, self._before, self._machine = time.monotonic(), self._now(), _machine_seconds()

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by the processes' names."""
        return {name: after - self._before[name] for name, after in self._now().items()}

    def cpu_per(self, count: int, unit: str) -> dict[str, float]:
        """Milliseconds of CPU for each of `count` items, as figures."""
        return {
            f"CPU of {name}, ms/{unit}": 1000 * used / count for name, used in self.cpu().items() if name in self._pids
        }

    def cores(self) -> dict[str, float]:
        """Return how many cores each part kept busy, as figures: what `binding` reads."""
        seconds, used = time.monotonic() - self._begun, self.cpu()
        others = _machine_seconds() - self._machine - sum(used.values())
        return {f"{CORES}{name}": value / seconds for name, value in (used | {OTHERS: max(0.0, others)}).items()}

    def memory(self) -> dict[str, float]:
        """Resident memory of each process now, in MiB, as figures."""
        return {f"memory, MiB: {name}": memory_mib(pid) for name, pid in self._pids.items()}

    def _now(self) -> dict[str, float]:
        mine = sum(os.times()[:2])  # without children: the measured ones are children of this process
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()} | {"client": mine}


def _machine_seconds() -> float:
    """CPU seconds of the whole machine since it started, but for those in which it was idle or waited for a disk."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
