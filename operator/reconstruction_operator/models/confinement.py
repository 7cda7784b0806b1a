"""Process confinement: prevents a model's process from reading processes other than its children, and from using the
network.

Processes of the same user may read each other's environment and memory. A container's first process, health checks and
`kubectl exec` have the worker's passwords. A process can use Landlock to deny itself and its children this access, and
seccomp to deny them sockets.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

_NO_NEW_PRIVILEGES: Final = 38  # PR_SET_NO_NEW_PRIVS of prctl(2): Landlock requires it
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, with the same numbers on every architecture
_ASK_VERSION: Final = 1
_BENEATH_PATH: Final = 1
_RENAME: Final = 1 << 13  # LANDLOCK_ACCESS_FS_REFER: renames between folders
_LEAST_VERSION: Final = 2  # version 1 (Linux 5.13 to 5.18) forbids every rename between folders

_SET_FILTER, _ALL_THREADS = 1, 1  # SECCOMP_SET_MODE_FILTER and SECCOMP_FILTER_FLAG_TSYNC of seccomp(2)
# AUDIT_ARCH_…, seccomp(2), socket(2)
_CALLS: Final = {"x86_64": (0xC000003E, 317, 41), "aarch64": (0xC00000B7, 277, 198)}
_IO_URING, _OTHER_NUMBERING = 425, 1 << 30  # io_uring_setup(2), which also makes sockets; the x32 ABI
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of a filter (BPF)
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES  # SECCOMP_RET_…
_AF_UNIX: Final = 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine() -> bool:
    """Confine this process, which must have a single thread; return whether the kernel supports it.

    Access to files is unchanged.
    """
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


def go_offline() -> bool:
    """Deny all threads of this process, and its later children, every new socket but AF_UNIX; return whether the system
    supports it.

    The sandbox of a pod (`RuntimeDefault`) forbids network namespaces, but allows a filter on top of its own.
    """
    machine = os.uname().machine
    if machine not in _CALLS:
        return False
    architecture, seccomp, socket = _CALLS[machine]
    steps = (  # instruction, steps to skip if true, if false, value
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 0, 6, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 4, 0, _OTHER_NUMBERING),
        (_EQUAL, 3, 0, _IO_URING),
        (_EQUAL, 0, 3, socket),
        (_LOAD, 0, 0, _ARGUMENT_AT),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    )
    program = _Filter(len(steps), b"".join(struct.pack("=HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
        and libc.syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0
    )
