"""Programs: modules that the worker runs in separate processes, so that a call that hangs on a mount or server can be
killed.

A program reads one request from stdin, with the worker's settings. It writes its progress to stdout four times a
second, and finally its outcome. It exits when its worker closes stdin.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import pickle
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Self

from reconstruction_operator import config, exhaustion, privacy
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import environment
from reconstruction_operator.transfer.objects.concurrency import Progress

logger = logging.getLogger(__name__)

_INHERITED: Final = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "HOME")  # allowlist without settings
_POLL_SECONDS: Final = 0.1
_REPORT_SECONDS: Final = 0.25
SILENCE_SECONDS: Final = 60.0  # the program reports four times a second, unless a decoder holds the interpreter
_ABORT_SECONDS: Final = 1.2  # more than the threads of a transfer have to abort their uploads
_EXIT_SECONDS: Final = 5.0
_KILL_SECONDS: Final = 5.0
_CHUNK_BYTES: Final = 65_536

OnProgress = Callable[[int, int, int, int], None]
"""Takes the objects done, all objects, the bytes done and all bytes. Called often, even without progress; may raise."""


class HungError(TimeoutError):
    """The program makes no progress: probably it is in a call that does not return."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program."""

    process: subprocess.Popen[bytes]
    name: str  # of its module
    # Bytes after the last line that was read.
    _unread: bytearray = field(default_factory=bytearray, init=False, repr=False, compare=False)

    @classmethod
    def start(cls, module: str, *arguments: str, untrusted: BinaryIO | None = None, credentials: bool = False) -> Self:
        """Start the module as a program; with `credentials` of object storage in its environment.

        With `untrusted`, it reads that file as its stdin instead of a request.

        Raises OSError if it cannot be started (ExhaustedError for lack of processes).
        """
        secrets = environment.chosen(os.environ) if credentials else {}
        with exhaustion.starting():
            process = subprocess.Popen(
                # -P: a module in the current folder must not shadow a library's.
                [sys.executable, "-P", "-m", module, *arguments],
                stdin=subprocess.PIPE if untrusted is None else untrusted,
                stdout=subprocess.PIPE,
                env=secrets | {name: os.environ[name] for name in _INHERITED if name in os.environ},
                start_new_session=True,  # Ctrl-C is for the worker, which ends this process itself
            )
        return cls(process, module)

    @property
    def running(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def ask(
        self,
        request: object,
        report: OnProgress = lambda *_: None,
        *,
        seconds: float = math.inf,
        idle_seconds: float = math.inf,
    ) -> dict[str, Any]:
        """Send the request with the settings in use, and return the outcome. `report` may raise.

        Raises StorageError, SupersededError or OSError as the program reports it; OSError if it ended, TimeoutError
        after `seconds`, HungError if its main thread has used no CPU for `idle_seconds`.
        """
        assert self.process.stdin is not None  # noqa: S101  # it is a pipe; for the type checker
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(pickle.dumps((config.for_child(), request)))
            self.process.stdin.flush()
        done, cpu, heard_at = [0, 0, 0, 0], 0.0, (begun := time.monotonic())
        worked_at = begun
        while True:
            report(*done)
            now = time.monotonic()
            if now - worked_at > idle_seconds:
                raise HungError(f"no progress for {idle_seconds:.0f} s: see whether its disk responds")
            if now - begun > seconds:
                raise TimeoutError(f"no answer within {seconds:.0f} s: see whether its disk or server responds")
            line = self.read_line()
            if line is None:
                if now - heard_at > SILENCE_SECONDS:
                    raise HungError(f"the program {self.name} hangs")
                continue
            if not line:
                raise OSError(f"the program {self.name} exited with code {self.process.wait(_EXIT_SECONDS)}")
            heard_at = time.monotonic()
            message: dict[str, Any] = json.loads(line)
            if "progress" not in message:
                _raise_failure(message)
                return message
            done = message["progress"]
            if message["cpu"] > cpu:
                cpu, worked_at = message["cpu"], heard_at

    def read_line(self) -> bytes | None:
        """Return the next line; empty if the program has ended, None if no line comes within a moment."""
        assert self.process.stdout is not None  # noqa: S101  # as above
        output = self.process.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([output], [], [], _POLL_SECONDS)[0]:
                return None
            chunk = os.read(output, _CHUNK_BYTES)
            if not chunk:
                return b""
            self._unread.extend(chunk)
        line = bytes(self._unread[: self._unread.index(b"\n")])
        del self._unread[: len(line) + 1]
        return line

    def end(self, patience_seconds: float = 0.0) -> bool:
        """Close the program's pipes, and kill it after that time.

        Return False if it cannot be killed and is left behind.
        """
        if not patience_seconds:
            self.process.kill()  # first, because a pipe with an unread request cannot be closed
        for pipe in filter(None, (self.process.stdin, self.process.stdout)):
            with contextlib.suppress(OSError):
                pipe.close()
        if patience_seconds:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_seconds)
                return True
            self.process.kill()
        try:
            self.process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:  # in an uninterruptible system call
            logger.error(  # noqa: TRY400  # the message is enough
                "process %d was killed but does not end until its mount responds: it is left behind", self.process.pid
            )
            return False
        return True


def serve(perform: Callable[[Any, Progress], dict[str, Any] | None]) -> None:
    """In a program: carry out the request on stdin, and write the outcome, or the failure that `perform` raised.

    An upload in progress is aborted before the program exits, so that the server keeps no parts of it.
    """
    privacy.hide_memory()
    settings, request = pickle.load(sys.stdin.buffer)  # noqa: S301  # the worker sent it, which started this process
    config.use_in_child(settings)
    progress = Progress()
    clock = time.pthread_getcpuclockid(threading.get_ident())  # this thread's: the one that may hang

    def report() -> None:
        done = [progress.objects, progress.of_objects, progress.bytes, progress.of_bytes]
        _write(progress=done, cpu=time.clock_gettime(clock))

    progress.report = report

    def watch() -> None:
        # Stdin ends when the worker has exited, or no longer wants the outcome.
        with contextlib.suppress(BrokenPipeError):
            while not select.select([sys.stdin], [], [], _REPORT_SECONDS)[0]:
                report()
        progress.stopping.set()
        time.sleep(_ABORT_SECONDS)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    try:
        outcome = perform(request, progress) or {}
    except BaseException as error:  # noqa: BLE001  # the worker reports it; a panic of the client is not an Exception
        outcome = _failure_message(error)
    with contextlib.suppress(BrokenPipeError):
        report()
        _write(**outcome)
    os._exit(0)  # threads may still be in long calls of the client


def _write(**message: Any) -> None:
    sys.stdout.buffer.write(json.dumps(message, default=os.fsdecode).encode() + b"\n")  # whole: two threads write
    sys.stdout.buffer.flush()


def _failure_message(error: BaseException) -> dict[str, Any]:
    match error:
        case SupersededError():
            return {"superseded": True}
        case StorageError():
            return {"refused": [error.reason, error.message]}
        case OSError():
            return {"errno": error.errno, "strerror": error.strerror or str(error), "filename": error.filename}
        case _:
            first = str(error).partition("\n")[0]  # a client of object storage adds a dump of its state
            return {"errno": None, "strerror": f"{type(error).__name__}: {first}", "filename": None}


def _raise_failure(message: Mapping[str, Any]) -> None:
    match message:
        case {"superseded": True}:
            raise SupersededError
        case {"refused": [reason, text]}:
            raise StorageError(reason, text)
        case {"errno": int() as number, "strerror": text, "filename": name}:
            raise OSError(number, text, name)
        case {"strerror": text}:
            raise OSError(text)
