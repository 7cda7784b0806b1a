"""Shared value: a small JSON value in memory, shared by all processes of a worker's pool."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any, Final

_NOEXEC_SEAL: Final = 0x8  # MFD_NOEXEC_SEAL of memfd_create(2), since Linux 6.3


class SharedValue:
    """A value under a lock. Create it before the pool forks, so that every process inherits it. It lasts as long as the worker."""

    def __init__(self, name: str, initial: Any) -> None:
        self._memory = _memory(name)
        self._initial = json.dumps(initial).encode()

    @contextlib.contextmanager
    def held(self, *, wait: bool = True) -> Iterator[Any]:
        """Hold the value, which may be changed in place. Only one thread or process holds it at a time.

        Without `wait`, yield None if it is held already. If the holder dies, the lock is released, and the value is unchanged or the
        initial value.
        """
        # Opened again each time: locks of one open file do not exclude each other, and forked processes share the inherited file.
        file = os.open(f"/proc/self/fd/{self._memory}", os.O_RDWR | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield None
                return
            before = os.pread(file, os.fstat(file).st_size, 0)
            try:
                value = json.loads(before)
            except ValueError:  # nothing was written yet, or a process died while it wrote
                value = json.loads(self._initial)
            yield value
            after = json.dumps(value).encode()
            if after != before:
                os.ftruncate(file, 0)
                os.pwrite(file, after, 0)
        finally:
            # A process that was forked meanwhile has inherited the open file, so closing it here would not release the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)


def _memory(name: str) -> int:
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC | _NOEXEC_SEAL)  # required by the kernel with vm.memfd_noexec=2
    except OSError:
        return os.memfd_create(name, os.MFD_CLOEXEC)
