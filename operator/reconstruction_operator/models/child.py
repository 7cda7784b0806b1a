"""Model process: runs an isolated model, `python -P -m reconstruction_operator.models.child <messages> <answers>
<request file>`; the first two are file descriptors, and -1 for answers means that other workers help with no part.

It forks into two. One process runs the model. The other, the guard, has a single thread and imports little. It detects
a dead or silent worker even while native code in the model holds the interpreter lock, and then kills the process
group.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconstruction_operator.models import confinement, exchange, parts, registry
from reconstruction_operator.models.interface import ModelFailure, Parts, PartTurn, Report, StageElsewhere, Step

_POLL_SECONDS = 0.1  # interval at which the guard checks the worker and the model
_ORPHAN_SIGNAL_OPTION = 1  # PR_SET_PDEATHSIG of prctl(2)
_PATIENCE_SECONDS = 5.0  # how long an important message waits for a full pipe
_AMPLE_BYTES = 1 << 30  # with so much left, a write that names no file failed on another disk

_KEEP_FIRST = ("zlib", "bz2", "lzma", "ssl", "sqlite3")
"""Modules to import before any native library. If pycolmap is loaded first, its own copies of these libraries shadow
the system's, and zlib aborts with "free(): invalid pointer"."""


def main() -> None:
    """Fork into guard and model. Never returns."""
    messages = int(sys.argv[1])
    answers = int(sys.argv[2])
    for descriptor in (messages, answers):
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)
    confinement.confine()
    request = exchange.RunRequest.from_json(Path(sys.argv[3]).read_text())
    if answers >= 0:
        request = replace(request, work=replace(request.work, parts=_asking(messages, answers)))
    guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _be_the_model(guard, messages, request)
        except BaseException:  # noqa: BLE001  # `os._exit` would hide it
            traceback.print_exc()
        finally:
            # Skips atexit handlers and static destructors, in which native libraries may crash after the work.
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)
    _be_the_guard(pid, messages, request.silence_seconds)


# --- The guard --------------------------------------------------------------------------------------------------------


def _be_the_guard(model: int, messages: int, silence_seconds: float) -> None:
    """Wait until the model or the worker ends, then kill the process group, including this process."""
    # SIGTERM reaches the whole group but is for the model. The guard stays, to report the model's exit.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    silent = 0.0
    while silent < silence_seconds:
        before = time.monotonic()
        readable, _, _ = select.select([0], [], [], _POLL_SECONDS)
        if readable:
            if not os.read(0, 4096):
                break  # the worker has exited
            silent = 0.0
        else:
            # Time for which the guard itself was paused does not count as silence.
            silent += min(time.monotonic() - before, 2 * _POLL_SECONDS)
        ended, status, used = os.wait4(model, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            _send(messages, exchange.ExitMessage(code, used.ru_utime + used.ru_stime), patient=True)
            break
    os.killpg(0, signal.SIGKILL)


# --- The model --------------------------------------------------------------------------------------------------------


def _be_the_model(guard: int, messages: int, request: exchange.RunRequest) -> int:
    """Run the model and send its outcome; return the exit code."""
    _end_with(guard)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  # only its descriptor is needed
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # output of libraries goes to the log
    for name in _KEEP_FIRST:
        __import__(name)
    network = False
    with contextlib.suppress(ModelFailure):  # `_outcome` reports it
        network = getattr(registry.find(request.model), "network", False)
    if not network:
        confinement.go_offline()
    _send(messages, _outcome(request, _reporter(messages)), patient=True)
    return 0


def _end_with(guard: int) -> None:
    """Have the kernel kill this process when the guard exits, which works because the guard has a single thread."""
    with contextlib.suppress(OSError, AttributeError):  # not every kernel supports it, and a guard rarely exits first
        ctypes.CDLL(None).prctl(_ORPHAN_SIGNAL_OPTION, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != guard:
        os._exit(1)


def _outcome(request: exchange.RunRequest, report: Report) -> exchange.ModelMessage:
    work = request.work
    try:
        return parts.run(registry.find(request.model), work, report)
    except ModelFailure as failure:
        return exchange.FailureMessage(failure.reason, failure.message)
    except StageElsewhere as elsewhere:
        return exchange.ElsewhereMessage(elsewhere.stage)
    except MemoryError:
        photos = f"{len(work.photos)} photo{'' if len(work.photos) == 1 else 's'}"
        return exchange.FailureMessage("OUT_OF_MEMORY", f"the model ran out of memory with {photos}")
    except Exception as error:  # noqa: BLE001  # a defect of the model; the worker reports the traceback
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _disk_full(error, work.scratch_dir)
        return exchange.DefectMessage(traceback.format_exc()[-exchange.MAX_TEXT_CHARS :])


def _disk_full(error: OSError, scratch: Path) -> exchange.FailureMessage:
    where = error.filename if isinstance(error.filename, str) else ""
    if _is_elsewhere(error, where, scratch):
        text = (
            f"a file system of the worker is full, not the job volume: {error.strerror} ({where or 'perhaps /dev/shm'})"
        )
        return exchange.FailureMessage("WORKER_ERROR", text)
    return exchange.FailureMessage("DISK_FULL", f"the disk was full: {error.strerror} ({where or scratch})")


def _is_elsewhere(error: OSError, where: str, scratch: Path) -> bool:
    """Return whether not the job volume is full, where the scratch folder is, but another file system, such as
    /dev/shm.
    """
    with contextlib.suppress(OSError):
        if where:
            return Path(where).parent.stat().st_dev != scratch.stat().st_dev
        space = os.statvfs(scratch)  # does not show quotas
        has_inodes = space.f_favail > 0 or not space.f_files
        return error.errno == errno.ENOSPC and has_inodes and space.f_bavail * space.f_frsize >= _AMPLE_BYTES
    return False


def _reporter(messages: int) -> Report:
    def report(step: Step, fraction: float, message: str = "", **more: Any) -> None:
        progress = exchange.ProgressMessage(step, float(fraction), message, **more)
        _send(messages, progress, patient=bool(progress.resumed or progress.quality))

    return report


def _asking(messages: int, answers: int) -> Parts:
    """Return a function that asks the worker for parts. One thread may call it at a time."""
    lines = os.fdopen(answers, "rb")

    def ask(stage: str, count: int, made: int | None, /) -> PartTurn:
        _send(messages, exchange.PartMessage(stage, count, made), patient=True, patience_seconds=math.inf)
        return exchange.decode_turn(lines.readline())

    return ask


def _send(
    descriptor: int, message: exchange.ModelMessage, *, patient: bool, patience_seconds: float = _PATIENCE_SECONDS
) -> None:
    """Write a line.

    If the worker does not read, drop the line unless `patient`: progress must never delay the model.
    """
    line = exchange.encode(message)
    deadline = time.monotonic() + (patience_seconds if patient else 0.0)
    while line:
        left = max(0.0, deadline - time.monotonic())
        _, writable, _ = select.select([], [descriptor], [], None if math.isinf(left) else left)
        if not writable:
            return
        try:
            # A pipe that `select` reports as writable accepts this much without blocking.
            written = os.write(descriptor, line[: select.PIPE_BUF])
        except BrokenPipeError:
            return  # the worker has exited; the guard handles that
        line = line[written:]
        deadline = max(deadline, time.monotonic() + patience_seconds)  # never half a line


if __name__ == "__main__":
    main()
