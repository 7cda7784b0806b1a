"""Exhaustion: the worker's container has reached its limit of processes, so that no thread and no process can be
started.

The limit is the container's (`pids.max`) or the user's (RLIMIT_NPROC); threads count as processes.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_TRIAL_THREADS: Final = 8  # what a worker starts for an attempt until its model runs, and some to spare
_NO_THREAD: Final = "can't start new thread"  # CPython's text; the exception has no type and no errno of its own


class ExhaustedError(OSError):
    """A thread or process could not be started."""


@contextmanager
def starting() -> Iterator[None]:
    """Turn the failure to start a thread or process in this block into an ExhaustedError."""
    try:
        yield
    except RuntimeError as error:
        if _NO_THREAD not in str(error):
            raise
        raise ExhaustedError(errno.EAGAIN, "no thread can be started") from error
    except BlockingIOError as error:
        raise ExhaustedError(errno.EAGAIN, "no process can be started") from error


def is_exhausted(error: BaseException) -> bool:
    """Return whether the error says that no thread or process could be started."""
    return isinstance(error, ExhaustedError) or (isinstance(error, RuntimeError) and _NO_THREAD in str(error))


def has_room() -> bool:
    """Return whether an attempt can start now: starts and ends a few threads."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    try:
        for _ in range(_TRIAL_THREADS):
            thread = threading.Thread(target=over.wait, name="trial", daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError as error:
        if not is_exhausted(error):
            raise
        return False
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return True
