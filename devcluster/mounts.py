"""Mounts for tests: a file system whose server never answers, so that every access hangs, and a small one that fills
up.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_DETACH = 2  # MNT_DETACH


@contextlib.contextmanager
def dead_mount(folder: Path) -> Iterator[bool]:
    """Make the folder, and mount a dead file system on it.

    Yield False if this process may not mount: the folder stays ordinary.
    """
    folder.mkdir()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        with _mounted(folder, b"fuse", b"fd=%d,rootmode=40000,user_id=0,group_id=0" % server) as is_mounted:
            yield is_mounted
    finally:
        os.close(server)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount an empty file system of that size on the folder. Yield False if this process may not mount."""
    with _mounted(folder, b"tmpfs", b"size=%dm" % megabytes) as is_mounted:
        yield is_mounted


@contextlib.contextmanager
def _mounted(folder: Path, kind: bytes, options: bytes) -> Iterator[bool]:
    libc = ctypes.CDLL(None)
    is_mounted = libc.mount(b"devcluster", bytes(folder), kind, 0, options) == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            libc.umount2(bytes(folder), _DETACH)
