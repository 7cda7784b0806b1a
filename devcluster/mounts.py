"""Mounts for tests: a file system whose server never answers, so that every look at it hangs, and a small one that fills up."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_DETACH = 2  # MNT_DETACH


@contextlib.contextmanager
def dead_mount(folder: Path) -> Iterator[bool]:
    """Mounts one on the folder, which is made; False where this process may not mount: it stays an ordinary folder then."""
    folder.mkdir()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        yield False
        return
    libc = ctypes.CDLL(None)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % server
    is_mounted = libc.mount(b"dead", bytes(folder), b"fuse", 0, options) == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            libc.umount2(bytes(folder), _DETACH)
        os.close(server)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mounts an empty file system of that size on the folder; False where this process may not mount."""
    libc = ctypes.CDLL(None)
    is_mounted = libc.mount(b"small", bytes(folder), b"tmpfs", 0, b"size=%dm" % megabytes) == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            libc.umount2(bytes(folder), _DETACH)
