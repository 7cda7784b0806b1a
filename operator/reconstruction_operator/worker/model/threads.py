"""Thread count of a model process: the setting, or the CPUs that it may use."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def usable_threads(setting: int, cgroup_limit: Path = _CGROUP_LIMIT) -> int:
    """Return the setting; for 0, the number of CPUs that this process may use by affinity and container limit (cgroup v2)."""
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
