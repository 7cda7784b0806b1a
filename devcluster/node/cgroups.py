"""Cgroups of a node: the only part outside its namespaces, so only they have to be removed explicitly.

Only version 1 of cgroups, with a tree for each controller, was tried. Version 2 is rejected.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.waiting import wait_until

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")

_ROOT = Path("/sys/fs/cgroup")
_END_SECONDS = 60.0  # from a node's end to that of its last process, on a loaded machine


def check() -> None:
    """Raise DevclusterError if a node cannot use this machine's cgroups."""
    if (_ROOT / "cgroup.controllers").exists():
        raise DevclusterError("the node needs cgroups of version 1; this machine has version 2, which was never tried")
    absent = [name for name in CONTROLLERS if not (_ROOT / name).is_dir()]
    if absent:
        raise DevclusterError(f"the node needs the cgroup controllers {', '.join(absent)}, which {_ROOT} does not have")


def exist(name: str) -> bool:
    """Return whether a node of this name has or left cgroups."""
    return any(_ROOT.glob(f"*/{name}"))


def remove(name: str) -> None:
    """Remove a node's cgroups once its processes have ended."""
    wait_until(
        lambda: _removed(name),
        f"the end of all processes in the cgroups {name}",
        timeout_seconds=_END_SECONDS,
        seen=lambda: ", ".join(str(path) for path in _ROOT.glob(f"*/{name}")),
    )


def _removed(name: str) -> bool:
    for top in _ROOT.glob(f"*/{name}"):
        folders = [top, *(path for path in top.rglob("*") if path.is_dir())]
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            with contextlib.suppress(OSError):  # a process in it is still ending, or the kernel has removed it
                folder.rmdir()
    return not exist(name)
