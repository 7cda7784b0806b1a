"""Programs without the privileges of root: root may read every process, which would hide what other users may."""

import sys

_CODE = (
    "import ctypes, os, sys\n"
    "for capability in range(64):\n"
    "    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP: what the program below can have at most\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


def unprivileged(*command: str) -> list[str]:
    """Return the command without capabilities; its user stays the same."""
    return [sys.executable, "-S", "-c", _CODE, *command]
