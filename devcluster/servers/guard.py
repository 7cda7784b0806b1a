"""Guard: the parent of one server, which ends the server when its launcher ends.

Run as a program, by path and with the standard library alone: `python -I -S guard.py OWNER FOLDER GRACE_SECONDS
COMMAND...`

- The guard watches its owner, the launcher. When the owner ends in any way (kill -9 included), the guard kills the
  server and removes FOLDER. It watches the process, not a pipe: children that the owner forked keep a pipe open.
- The kernel kills the server when the guard ends (PR_SET_PDEATHSIG). The launcher itself could not use this signal: the
  kernel sends it at the end of the *thread* that started the child, and test runners start servers from threads.
- SIGTERM to the guard stops the server: SIGTERM, then SIGKILL after the grace time. As in a container, SIGTERM goes to
  the server alone, which ends its children in order (a Celery worker waits for theirs); SIGKILL goes to all.

The server has a separate process group, so that Ctrl-C in a terminal reaches the launcher alone, which then stops the
servers in order. The guard writes the server's pid as one line to standard output, and ends with the server's status
as a shell would give it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

_POLL_SECONDS = 0.5  # between two checks of the owner, if the kernel has no pidfd
_PR_SET_PDEATHSIG = 1
_EXIT_CANNOT_START = 127


class _Watch:
    """Sleeps until a signal or the owner's end. Signals set a flag and never raise, so that none is lost."""

    def __init__(self, owner: int) -> None:
        self._owner = owner
        self._signals, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self.stopping = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler there is no wake-up
        self._owner_end: int | None = None
        with contextlib.suppress(OSError, AttributeError):  # before Linux 5.3, or in a Python built there
            self._owner_end = os.pidfd_open(owner)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def owner_is_gone(self) -> bool:
        # An orphan gets another parent for ever, so a process that reuses the owner's pid is not mistaken for the
        # owner.
        return os.getppid() != self._owner

    def wait(self, limit_seconds: float | None) -> None:
        ends = [self._signals]
        if self._owner_end is not None:
            ends.append(self._owner_end)
        elif limit_seconds is None or limit_seconds > _POLL_SECONDS:
            limit_seconds = _POLL_SECONDS
        ready, _, _ = select.select(ends, [], [], limit_seconds)
        if self._signals in ready:
            os.read(self._signals, 4096)


def _start(command: list[str]) -> int:
    guard = os.getpid()
    server = os.fork()
    if server:
        with contextlib.suppress(OSError):  # the child calls it too: the first call counts
            os.setpgid(server, server)
        return server
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:  # the guard ended before this call
            os._exit(_EXIT_CANNOT_START)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        log = sys.stderr.fileno()
        os.dup2(log, sys.stdout.fileno())
        os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(_EXIT_CANNOT_START)


def _signal_group(server: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server, number)


def _reaped(server: int) -> int | None:
    pid, status = os.waitpid(server, os.WNOHANG)
    if pid == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _guard(watch: _Watch, server: int, folder: Path, grace_seconds: float) -> int:
    kill_at: float | None = None
    while True:
        status = _reaped(server)
        if status is not None:
            _signal_group(server, signal.SIGKILL)  # the server's own children
            if watch.owner_is_gone():
                # Every guard of the folder does this; the last one removes everything.
                shutil.rmtree(folder, ignore_errors=True)
            return status
        now = time.monotonic()
        if watch.owner_is_gone() or (kill_at is not None and now >= kill_at):
            _signal_group(server, signal.SIGKILL)
            os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
            continue
        if watch.stopping and kill_at is None:
            kill_at = now + grace_seconds
            os.kill(server, signal.SIGTERM)  # not reaped yet, so the pid is still the server's
            _signal_group(server, signal.SIGCONT)  # a paused server would sleep through it
        watch.wait(None if kill_at is None else kill_at - now)


def main(arguments: list[str]) -> int:
    """Run one server for as long as its owner lives, and return its status."""
    owner, folder, grace_seconds, *command = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = _Watch(int(owner))
    server = _start(command)
    with contextlib.suppress(OSError):  # the launcher has ended
        os.write(sys.stdout.fileno(), f"{server}\n".encode())
        os.close(sys.stdout.fileno())
    return _guard(watch, server, Path(folder), float(grace_seconds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
