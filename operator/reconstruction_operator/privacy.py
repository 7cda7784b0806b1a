"""Process hardening: other processes of the same user cannot read the passwords in this process's environment and memory."""

from __future__ import annotations

import ctypes
from typing import Final

_SET_DUMPABLE: Final = 4  # PR_SET_DUMPABLE of prctl(2)


def hide_memory() -> None:
    """Close /proc/<pid>/environ, mem and the like, and ptrace, to all but root. Forked processes inherit it; exec ends it.

    Core dumps are not written either. Without effect on systems other than Linux.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_SET_DUMPABLE, 0, 0, 0, 0)
