"""Programs: modules that the worker runs in separate processes, so that a call that hangs on a mount or server can be killed."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, Self

from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import environment

logger = logging.getLogger(__name__)

_INHERITED: Final = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "HOME")  # allowlist without settings
_KILL_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Program:
    """A running program, which reads requests and writes answers, both in lines."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]

    @classmethod
    def start(cls, module: str) -> Self:
        """Start the module as a program, with the credentials of object storage."""
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
        """Whether its process has not ended."""
        return self.process.poll() is None

    def send(self, line: bytes) -> None:
        """Send a request. Raises BrokenPipeError if the program has ended."""
        self.requests.write(line)
        self.requests.flush()

    def end(self, patience_seconds: float = 0.0) -> bool:
        """Close the program's pipes, and kill it after that time. False: it cannot be killed, and is left behind."""
        if not patience_seconds:
            self.process.kill()  # first, since the pipe cannot be closed while it holds an unread request
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
                "process %d was killed and does not end until its mount answers: it is left behind", self.process.pid
            )
            return False
        return True


def raise_failure(message: Mapping[str, Any]) -> None:
    """Raise the failure that a program has reported: OvertakenError, StorageError or OSError. Nothing for any other message."""
    match message:
        case {"overtaken": True}:
            raise OvertakenError
        case {"refused": [reason, text]}:
            raise StorageError(reason, text)
        case {"errno": int() as number, "strerror": text, "filename": name}:
            raise OSError(number, text, name)
        case {"strerror": text}:
            raise OSError(text)
