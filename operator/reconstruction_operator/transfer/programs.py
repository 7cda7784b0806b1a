"""Programs: modules that the worker runs in separate processes, so that a call that hangs on a mount or server can be killed."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final, Self

from reconstruction_operator.contract.errors import SupersededError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import environment

logger = logging.getLogger(__name__)

_INHERITED: Final = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "HOME")  # allowlist without settings
_KILL_SECONDS: Final = 5.0
_CHUNK_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Program:
    """A running program, which reads requests and writes answers, one per line."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    # Bytes after the last line that was read.
    _unread: bytearray = field(default_factory=bytearray, init=False, repr=False, compare=False)

    @classmethod
    def start(cls, module: str) -> Self:
        """Start the module as a program, with the credentials of object storage in its environment."""
        process = subprocess.Popen(
            # -P: a module in the current folder must not shadow a library's.
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment.chosen(os.environ) | {name: os.environ[name] for name in _INHERITED if name in os.environ},
            start_new_session=True,  # Ctrl-C is for the worker, which ends this process itself
        )
        assert process.stdin is not None  # noqa: S101  # PIPE sets both; for the type checker
        assert process.stdout is not None  # noqa: S101
        return cls(process, process.stdin, process.stdout)

    @property
    def running(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def send(self, line: bytes) -> None:
        """Send a request. Raises BrokenPipeError if the program has ended."""
        self.requests.write(line)
        self.requests.flush()

    def read_line(self, until: float) -> bytes | None:
        """Return the next line; empty if the program has ended, None if no line came by `until` (monotonic time)."""
        output = self.answers.fileno()
        while b"\n" not in self._unread:
            if not select.select([output], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            chunk = os.read(output, _CHUNK_BYTES)
            if not chunk:
                return b""
            self._unread.extend(chunk)
        line, _, self._unread[:] = self._unread.partition(b"\n")
        return bytes(line)

    def end(self, patience_seconds: float = 0.0) -> bool:
        """Close the program's pipes, and kill it after that time. Return False if it cannot be killed and is left behind."""
        if not patience_seconds:
            self.process.kill()  # first, because a pipe with an unread request cannot be closed
        for pipe in (self.requests, self.answers):
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


def end_with_worker() -> None:
    """In a program: exit as soon as the worker has ended, and stdin with it."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def failure_message(error: BaseException) -> dict[str, Any]:
    """Return the message by which a program reports the error, for `raise_failure`."""
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


def raise_failure(message: Mapping[str, Any]) -> None:
    """Raise the error that a program has reported: SupersededError, StorageError or OSError. Ignore any other message."""
    match message:
        case {"superseded": True}:
            raise SupersededError
        case {"refused": [reason, text]}:
            raise StorageError(reason, text)
        case {"errno": int() as number, "strerror": text, "filename": name}:
            raise OSError(number, text, name)
        case {"strerror": text}:
            raise OSError(text)
