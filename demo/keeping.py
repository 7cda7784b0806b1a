"""One demo at a time, and one that stays: `make demo KEEP=1` and `make demo-stop`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator

from demo.places import Places
from devcluster.servers.pids import start_mark
from devcluster.waiting import wait_until

_STOP_SECONDS = 180.0  # jobs in a user's cluster are deleted first
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class AlreadyRunningError(Exception):
    """Another demo runs in this checkout."""


@contextlib.contextmanager
def only_one(places: Places) -> Iterator[None]:
    """Hold the lock of the demo's folder; the kernel gives it back however this process ends."""
    places.root.mkdir(exist_ok=True)
    with places.lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                "A demo runs in this checkout already; `make demo-stop` ends one that was kept."
            ) from None
        yield


def interruptible() -> None:
    """Let every polite signal end the demo in the same way as Ctrl-C."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in _SIGNALS:
        signal.signal(number, interrupt)


def uninterruptible() -> None:
    """From here on nothing but SIGKILL: a second Ctrl-C must not interrupt the cleaning up."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def in_background(places: Places, perform: Callable[[Callable[[], None]], int]) -> int:
    """Run `perform` in a process that outlives this one, and return when it calls the function that it is given.

    Until then the two are as one: the other writes to our terminal, and whatever interrupts us is passed on.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child:
        os.close(write_end)
        return _wait(child, read_end)
    os.close(read_end)
    os.setsid()  # Ctrl-C in the terminal is not for the other any more

    def leave_alone() -> None:
        places.running.write_text(json.dumps({"pid": os.getpid(), "mark": start_mark(os.getpid())}))
        sys.stdout.flush()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nowhere, descriptor)
        os.write(write_end, b"+")
        os.close(write_end)

    status = 1
    try:
        status = perform(leave_alone)
        sys.stdout.flush()
    finally:
        places.running.unlink(missing_ok=True)
        os._exit(status)


def _wait(child: int, read_end: int) -> int:
    def pass_on(_number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    with os.fdopen(read_end, "rb") as pipe:
        if pipe.read(1):
            return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stop(places: Places) -> str:
    """End the demo that was kept; say what was done."""
    try:
        found = json.loads(places.running.read_text())
    except FileNotFoundError:
        return "no demo was left running"
    pid, mark = found["pid"], found["mark"]
    if start_mark(pid) != mark:
        places.running.unlink(missing_ok=True)
        return "the demo that was left running has ended already"
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: start_mark(pid) != mark, f"the end of the demo's process {pid}", timeout_seconds=_STOP_SECONDS)
    return "stopped the demo"
