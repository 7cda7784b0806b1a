"""Parallel work: runs independent pieces of numpy and OpenCV work in as many threads as the memory is enough for."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

import cv2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_SHARE = 0.8  # usable share of the available memory; the rest is a reserve for growth


def each(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    threads: int,
    done: Callable[[int, int], None],
    *,
    bytes_each: int = 1,
) -> Sequence[_Result]:
    """Return the results of `function` for the items, in their order.

    Each call needs about `bytes_each` of memory. If memory is short, fewer threads are used.

    `done(finished, of)` is called in this thread after each item. Threads are enough, because both libraries release
    the interpreter lock. OpenCV's own threads are off meanwhile, since one level of parallelism is enough. An exception
    of `function` or `done` cancels the items that have not begun, and is raised.
    """
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(threads_for(threads, bytes_each))
    try:
        futures = [pool.submit(function, item) for item in items]
        for finished, future in enumerate(as_completed(futures), start=1):
            future.result()
            done(finished, len(futures))
        return [future.result() for future in futures]
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        cv2.setNumThreads(threads)


def threads_for(threads: int, bytes_each: int, root: Path = Path("/")) -> int:
    """Return the number of threads for which the memory is enough: at most `threads`, at least one."""
    return max(1, min(threads, int(_SHARE * available_bytes(root)) // bytes_each))


def available_bytes(root: Path = Path("/")) -> int:
    """Return the memory left on the machine, or in the container's control group if less.

    `root` contains /proc and /sys.
    """
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
