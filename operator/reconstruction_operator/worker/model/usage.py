"""Resources of a model: the threads that it may use; the memory, CPU and GPU time that its processes use, with the
worker's limit.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.units import megabytes

_PERIOD_SECONDS = 0.5
_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")
_DEVICES = Path("/dev")
_GPU = "nvidia[0-9]*"  # the device file of each NVIDIA GPU that the container may use


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Resources that the processes of a model used."""

    cpu_seconds: float  # CPU time on all cores together
    peak_bytes: int  # resident memory of all processes together
    read_bytes: int = 0  # from files, and from caches of files
    written_bytes: int = 0  # to files
    gpu_seconds: float | None = None  # for which they held the worker's GPUs, times their number; None: it has none


class UsageWatch:
    """Watches a process and all its descendants; measures at most once in each period."""

    def __init__(
        self,
        pid: int,
        limit_bytes: int,
        title: str,
        *,
        period_seconds: float = _PERIOD_SECONDS,
        devices: Path = _DEVICES,
    ) -> None:
        self._period_seconds = period_seconds
        self._limit_bytes = limit_bytes
        self._title = title
        self._measured_at = 0.0
        self.newest_bytes = 0
        self.peak_bytes = 0
        # At the last check. The CPU time of a process whose parent has not waited for it is lost.
        self.cpu_seconds = 0.0
        self.read_bytes = 0
        self.written_bytes = 0
        self._began_at = time.monotonic()
        self._gpus = len(list(devices.glob(_GPU)))
        self._leader: psutil.Process | None = None
        with contextlib.suppress(psutil.Error):
            self._leader = psutil.Process(pid)

    @property
    def gpu_seconds(self) -> float | None:
        """The seconds until now, times the worker's GPUs, which nobody else uses meanwhile; None without a GPU."""
        return self._gpus * (time.monotonic() - self._began_at) if self._gpus else None

    def check(self) -> None:
        """Measure. Raise ModelFailure if the limit is exceeded."""
        now = time.monotonic()
        if self._leader is None or now - self._measured_at < self._period_seconds:
            return
        self._measured_at = now
        used, cpu_seconds, read_bytes, written_bytes = 0, 0.0, 0, 0
        with contextlib.suppress(psutil.Error):
            for process in (self._leader, *self._leader.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    used += process.memory_info().rss
                    cpu_seconds += sum(process.cpu_times()[:4])  # with the time of children that have ended
                    moved = process.io_counters()  # the same
                    read_bytes += moved.read_chars
                    written_bytes += moved.write_chars
        self.newest_bytes = used or self.newest_bytes
        self.cpu_seconds = max(self.cpu_seconds, cpu_seconds)
        self.read_bytes = max(self.read_bytes, read_bytes)
        self.written_bytes = max(self.written_bytes, written_bytes)
        self.peak_bytes = max(self.peak_bytes, used)
        if self._limit_bytes and used > self._limit_bytes:
            raise ModelFailure(
                "OUT_OF_MEMORY",
                f"{self._title} used {megabytes(used)} of memory; this worker allows {megabytes(self._limit_bytes)}",
            )


def usable_threads(setting: int, cgroup_limit: Path = _CGROUP_LIMIT) -> int:
    """Return the setting; for 0, the number of CPUs that this process may use by affinity and container limit (cgroup
    v2).
    """
    if setting > 0:
        return setting
    return max(1, min(len(os.sched_getaffinity(0)), _limit_of(cgroup_limit)))


def _limit_of(file: Path) -> int:
    unlimited = os.cpu_count() or 1
    try:
        quota, period = file.read_text().split()
        return unlimited if quota == "max" else int(quota) // int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return unlimited
