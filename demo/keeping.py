"""Lifetime of a demo: only one runs at a time, and a kept one (`make demo KEEP=1`) runs until `make demo-stop`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

from demo.places import DemoError, Places
from devcluster import interrupts
from devcluster.files import locked_if_free
from devcluster.servers.pids import start_mark
from devcluster.waiting import wait_until

_STOP_SECONDS = 180.0  # includes the deletion of jobs in a user's cluster
Perform = Callable[[Callable[[list[str]], None]], int]
INTERRUPTED = 130
"""The exit status after an interrupt, as in shells."""


@contextlib.contextmanager
def only_one(places: Places) -> Iterator[None]:
    """Hold the lock of the demo's folder; the kernel releases it when this process ends."""
    places.root.mkdir(exist_ok=True)
    with locked_if_free(places.lock) as free:
        if not free:
            raise DemoError("A demo is already running in this checkout; `make demo-stop` stops a kept one.")
        yield


def in_background(places: Places, perform: Perform) -> int:
    """Run `perform` in a process that outlives this one, and return when `perform` calls its argument, with the viewer
    of the result.

    Until then the launcher forwards signals to that process, which writes to the launcher's terminal.
    """
    read_end, write_end = os.pipe()
    # Signals stay pending until both processes have their handlers: the hooks of a fork would swallow the exception.
    signal.pthread_sigmask(signal.SIG_BLOCK, interrupts.SIGNALS)
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _be_the_background(places, perform, write_end)
    os.close(write_end)

    def pass_on(_number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)

    for number in interrupts.SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts.SIGNALS)
    # A signal that comes just before a blocking call is handled after that call: the timeout bounds it.
    while not select.select([read_end], [], [], 0.5)[0]:
        pass
    if os.read(read_end, 1):
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_the_background(places: Places, perform: Perform, write_end: int) -> NoReturn:
    def leave_alone(viewer: list[str]) -> None:
        pid = os.getpid()
        places.running.write_text(json.dumps({"pid": pid, "mark": start_mark(pid), "viewer": viewer}))
        sys.stdout.flush()
        log = os.open(places.logs / "demo.log", os.O_RDWR | os.O_CREAT)
        for descriptor in range(3):
            os.dup2(log, descriptor)
        os.write(write_end, b"+")
        os.close(write_end)

    status = INTERRUPTED
    try:
        os.setsid()  # Ctrl-C in the terminal reaches the launcher alone
        interrupts.interruptible()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts.SIGNALS)
        status = perform(leave_alone)
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 -- the child must end here, and never return to the caller
        traceback.print_exc()
        status = 1
    finally:
        interrupts.uninterruptible()
        places.running.unlink(missing_ok=True)
        os._exit(status)


def viewer(places: Places) -> list[str]:
    """Return the command that shows the result of the kept demo. Raises DemoError without one."""
    try:
        record = json.loads(places.running.read_text())
    except FileNotFoundError:
        raise DemoError("No demo is running: `make demo OPEN=1` starts one.") from None
    if start_mark(record["pid"]) != record["mark"]:
        raise DemoError("The demo has already ended: `make demo OPEN=1` starts one.")
    if not record["viewer"]:
        raise DemoError("The job has no mesh, and your cluster has no gallery of the demo that could show the job.")
    return [str(word) for word in record["viewer"]]


def stop(places: Places) -> str:
    """Stop the kept demo, and return a message."""
    try:
        record = json.loads(places.running.read_text())
    except FileNotFoundError:
        return "no demo is running"
    pid, mark = record["pid"], record["mark"]
    if start_mark(pid) != mark:
        places.running.unlink(missing_ok=True)
        return "the demo has already ended"
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: start_mark(pid) != mark, f"the end of the demo's process {pid}", timeout_seconds=_STOP_SECONDS)
    return "stopped the demo"
