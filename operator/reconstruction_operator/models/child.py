"""The process of an isolated model: `python -P -m reconstruction_operator.models.child <descriptor> <request file>`.

It is two processes. The first, the guard, stays small and alone in its thread: it notices that the task is gone or
silent even while native code in the second holds the interpreter's lock, and then ends the whole process group. The
second runs the model.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from reconstruction_operator.models import exchange, registry
from reconstruction_operator.models.exchange import Defect, Exit, Failure, Message, Progress, Request
from reconstruction_operator.models.interface import ModelFailure, Step

_LOOK_SECONDS = 0.1  # between two looks of the guard
_REPORT_SECONDS = 0.1  # between two reports of the same step: more would tell nobody anything
_ORPHAN_SIGNAL_OPTION = 1  # PR_SET_PDEATHSIG of prctl(2)
_PATIENCE_SECONDS = 5.0  # for a full pipe, with a message that counts

_KEEP_FIRST = ("zlib", "bz2", "lzma", "ssl", "sqlite3")
"""Imported before any native library: pycolmap's own copies of these shadow the system's if it is loaded first, and then
zlib aborts with "free(): invalid pointer"."""


def main() -> None:
    """Both processes start here. Never returns."""
    messages = int(sys.argv[1])
    os.set_inheritable(messages, False)
    request = Request.from_json(Path(sys.argv[2]).read_text())
    guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _be_the_model(guard, messages, request)
        finally:
            # Without atexit and static destructors: native libraries crash there after the work is done.
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)
    _be_the_guard(pid, messages, request.silence_seconds)


# --- The guard --------------------------------------------------------------------------------------------------------


def _be_the_guard(model: int, messages: int, silence_seconds: float) -> None:
    """Waits for the end of the model, or of the task. Ends the process group, and itself with it."""
    # SIGTERM goes to the group: it is the model's, and the guard stays to say how that ended.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    silent = 0.0
    while silent < silence_seconds:
        before = time.monotonic()
        readable, _, _ = select.select([0], [], [], _LOOK_SECONDS)
        if readable:
            if not os.read(0, 4096):
                break  # the task is gone
            silent = 0.0
        else:
            # A guard that was paused itself has not listened: only time in which it looked counts.
            silent += min(time.monotonic() - before, 2 * _LOOK_SECONDS)
        ended, status = os.waitpid(model, os.WNOHANG)
        if ended:
            _send(messages, _exit_of(status), patient=True)
            break
    os.killpg(0, signal.SIGKILL)


def _exit_of(status: int) -> Exit:
    if os.WIFSIGNALED(status):
        return Exit(code=None, signal=os.WTERMSIG(status))
    return Exit(code=os.WEXITSTATUS(status), signal=None)


# --- The model --------------------------------------------------------------------------------------------------------


def _be_the_model(guard: int, messages: int, request: Request) -> int:
    """Runs the model; the exit code is 0 if it ended by a message of any kind."""
    _end_with(guard)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  # a descriptor is wanted, not a path
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what libraries print belongs to the log
    for name in _KEEP_FIRST:
        __import__(name)
    _send(messages, _outcome(request, _reporter(messages)), patient=True)
    return 0


def _end_with(guard: int) -> None:
    """The kernel ends this process when the guard ends. The guard has one thread only, as this needs."""
    with contextlib.suppress(OSError, AttributeError):  # not on every kernel; the guard's own end is rare
        ctypes.CDLL(None).prctl(_ORPHAN_SIGNAL_OPTION, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != guard:
        os._exit(1)


def _outcome(request: Request, report: Callable[[Step, float, str], None]) -> Message:
    work = request.work
    try:
        return registry.find(request.model).run(
            work, lambda step, fraction, message="": report(step, fraction, message)
        )
    except ModelFailure as failure:
        return Failure(failure.reason, failure.message)
    except MemoryError:
        return Failure("OUT_OF_MEMORY", f"the model's memory was not enough for {len(work.photos)} photos")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Failure("DISK_FULL", f"the disk was full: {error.strerror} ({error.filename or work.scratch_dir})")
        return Defect(traceback.format_exc())
    except Exception:  # noqa: BLE001  # a defect of the model; the task says so, with these lines
        return Defect(traceback.format_exc())


def _reporter(messages: int) -> Callable[[Step, float, str], None]:
    newest: tuple[Step | None, float] = (None, 0.0)

    def report(step: Step, fraction: float, message: str) -> None:
        nonlocal newest
        now = time.monotonic()
        known, at = newest
        if step == known and fraction < 1.0 and now - at < _REPORT_SECONDS:
            return
        newest = (step, now)
        _send(messages, Progress(step, float(fraction), message), patient=False)

    return report


def _send(descriptor: int, message: Message, *, patient: bool) -> None:
    """Writes a line. If the task does not read, an impatient one is dropped: a report never holds up the model."""
    line = exchange.encode(message)
    deadline = time.monotonic() + (_PATIENCE_SECONDS if patient else 0.0)
    while line:
        _, writable, _ = select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))
        if not writable:
            return
        try:
            # A pipe that select calls writable takes this much without blocking, and in one piece.
            written = os.write(descriptor, line[: select.PIPE_BUF])
        except BrokenPipeError:
            return  # the task is gone, and the guard about to notice
        line = line[written:]
        deadline = max(deadline, time.monotonic() + _PATIENCE_SECONDS)  # never half a line


if __name__ == "__main__":
    main()
