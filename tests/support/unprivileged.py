"""Unprivileged programs: root may read every process, which would hide missing permissions."""

import sys

_CODE = (
    "import ctypes, os, sys\n"
    "for capability in range(64):\n"
    "    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP: what the program below can have at most\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


def unprivileged(*command: str) -> list[str]:
    """Return a command that runs the program without capabilities, as the same user."""
    return [sys.executable, "-S", "-c", _CODE, *command]
