"""Memory that this process can still use, and how many threads it serves."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path

_SHARE = 0.8  # of the memory left; the rest is for what grows meanwhile


def threads_for(threads: int, bytes_each: int, root: Path = Path("/")) -> int:
    """At most `threads`, and no more than there is memory for; at least one."""
    return max(1, min(threads, int(_SHARE * available_bytes(root)) // bytes_each))


def available_bytes(root: Path = Path("/")) -> int:
    """What is left on the machine, or in the container's control group if that is less; `root` is that of /proc and /sys."""
    left = [sys.maxsize]
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", (root / "proc/meminfo").read_text(), re.MULTILINE)
        left += [int(found[1]) * 1024] if found else []
    group = root / "sys/fs/cgroup"
    for folder, limit, used in (
        (group, "memory.max", "memory.current"),
        (group / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):  # no such version of control groups; "max": no limit
            most = int((folder / limit).read_text())
            left.append(most - int((folder / used).read_text()) + _file_cache(folder / "memory.stat"))
    return max(0, min(left))


def _file_cache(statistics: Path) -> int:
    """Bytes of files that the kernel would give up."""
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", statistics.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
