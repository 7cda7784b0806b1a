"""Available memory: how much this process can still use, and for how many threads it is enough."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path

_SHARE = 0.8  # usable share of the available memory; the rest is a reserve for growth


def threads_for(threads: int, bytes_each: int, root: Path = Path("/")) -> int:
    """Return the number of threads for which the memory is enough: at most `threads`, at least one."""
    return max(1, min(threads, int(_SHARE * available_bytes(root)) // bytes_each))


def available_bytes(root: Path = Path("/")) -> int:
    """Return the memory left on the machine, or in the container's control group if less. `root` contains /proc and /sys."""
    left = [sys.maxsize]
    with contextlib.suppress(OSError):
        match = re.search(r"^MemAvailable:\s+(\d+) kB$", (root / "proc/meminfo").read_text(), re.MULTILINE)
        left += [int(match[1]) * 1024] if match else []
    group = root / "sys/fs/cgroup"
    for folder, limit, used in (
        (group, "memory.max", "memory.current"),
        (group / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):  # another version of control groups; "max" means no limit
            most = int((folder / limit).read_text())
            cached = re.search(  # files that the kernel can free
                r"^(?:total_)?inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE
            )
            left.append(most - int((folder / used).read_text()) + (int(cached[1]) if cached else 0))
    return max(0, min(left))
