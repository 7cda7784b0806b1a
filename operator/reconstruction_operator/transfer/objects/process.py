"""Process that transfers objects: the worker's side. It is killed as soon as the transfer is not wanted any more."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import environment, request
from reconstruction_operator.transfer.objects.request import Request

logger = logging.getLogger(__name__)

_PROGRAM: Final = "reconstruction_operator.transfer.objects.program"
_INHERITED: Final = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "HOME")  # allowlist: no setting of the worker
_POLL_SECONDS: Final = 0.1
_ABORT_SECONDS: Final = 1.5  # in which an upload is aborted; a cancel is heard within 2 s
_KILL_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 30.0  # the process reports twice a second
_CHUNK_BYTES: Final = 65_536

Report = Callable[[int, int, int, int], None]
"""Takes objects done, of how many, and bytes done, of how many. Called often, also without any progress; may raise."""


def perform(wanted: Request, report: Report) -> dict[str, Any]:
    """Carries out the request in a process; returns its outcome. An exception of `report` ends the process.

    Raises StorageError, OvertakenError or OSError as the request does.
    """
    process = subprocess.Popen(
        # -P: a module in the current folder must not shadow a library's.
        [sys.executable, "-P", "-m", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment.chosen(os.environ) | {name: os.environ[name] for name in _INHERITED if name in os.environ},
        start_new_session=True,  # Ctrl-C is for the worker, which ends this process itself
    )
    try:
        return _result(_listen(process, request.to_line(wanted), report))
    finally:
        _end(process)


def _listen(process: subprocess.Popen[bytes], line: bytes, report: Report) -> dict[str, Any]:
    assert process.stdin is not None  # noqa: S101  # PIPE sets both; for the type checker
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(line)
        process.stdin.flush()
    output, unread = process.stdout.fileno(), b""
    done = (0, 0, 0, 0)
    heard_at = time.monotonic()
    while True:
        report(*done)
        if select.select([output], [], [], _POLL_SECONDS)[0]:
            chunk = os.read(output, _CHUNK_BYTES)
            if not chunk:
                code = process.wait(_KILL_SECONDS)
                raise OSError(f"the process that transfers objects ended with exit code {code}")
            heard_at = time.monotonic()
            *lines, unread = (unread + chunk).split(b"\n")
            for one in lines:
                message: dict[str, Any] = json.loads(one)
                if "progress" not in message:
                    report(*done)
                    return message
                objects, of_objects, count, of_count = message["progress"]
                done = (objects, of_objects, count, of_count)
        elif time.monotonic() - heard_at > _SILENCE_SECONDS:
            raise OSError("the process that transfers objects hangs")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process; an upload that is under way is aborted, if that is possible in time."""
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    try:
        process.wait(_ABORT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        try:
            process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:  # in an uninterruptible system call
            logger.error(  # noqa: TRY400  # the message is enough
                "process %d was killed and does not end until its mount answers: it is left behind", process.pid
            )


def _result(message: dict[str, Any]) -> dict[str, Any]:
    match message:
        case {"overtaken": True}:
            raise OvertakenError
        case {"refused": [reason, text]}:
            raise StorageError(reason, text)
        case {"errno": int() as number, "strerror": text, "filename": name}:
            raise OSError(number, text, name)
        case {"strerror": text}:
            raise OSError(text)
    return message
