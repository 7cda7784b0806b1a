"""Process confinement: prevents a model's process from reading processes other than its children.

Processes of the same user may read each other's environment and memory. A container's first process, health checks and `kubectl exec`
have the worker's passwords. A process can use Landlock to deny itself and its children this access.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_NO_NEW_PRIVILEGES: Final = 38  # PR_SET_NO_NEW_PRIVS of prctl(2): Landlock requires it
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, with the same numbers on every architecture
_ASK_VERSION: Final = 1
_BENEATH_PATH: Final = 1
_RENAME: Final = 1 << 13  # LANDLOCK_ACCESS_FS_REFER: renames between folders
_LEAST_VERSION: Final = 2  # version 1 (Linux 5.13 to 5.18) forbids every rename between folders


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def confine() -> bool:
    """Confine this process, which must have a single thread; return whether the kernel supports it. Access to files is unchanged."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "prctl") or libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION) < _LEAST_VERSION:
        return False
    # Any ruleset confines the process. This one handles only renames between folders, and allows them everywhere.
    ruleset = _Ruleset(_RENAME)
    rules = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    if rules < 0:
        return False
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = _Beneath(_RENAME, root)
        return bool(
            libc.syscall(_ADD_RULE, rules, _BENEATH_PATH, ctypes.byref(beneath), 0) == 0
            and libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
            and libc.syscall(_RESTRICT_SELF, rules, 0) == 0
        )
    finally:
        os.close(root)
        os.close(rules)
