"""Process hardening: hides the passwords in this process's environment and memory from other processes of the same
user.
"""

from __future__ import annotations

import ctypes
from typing import Final

_SET_DUMPABLE: Final = 4  # PR_SET_DUMPABLE of prctl(2)


def hide_memory() -> None:
    """Allow only root to ptrace this process and to read /proc/<pid>/environ, mem and similar files.

    Core dumps are not written either. Forked processes inherit this; exec ends it. Without effect on systems other than
    Linux.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_SET_DUMPABLE, 0, 0, 0, 0)
