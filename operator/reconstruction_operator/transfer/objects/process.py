"""Transfer process: starts the process that transfers objects, and kills it once the transfer is no longer wanted."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from typing import Any, Final

from reconstruction_operator.transfer.objects import request
from reconstruction_operator.transfer.objects.request import OnProgress, TransferRequest
from reconstruction_operator.transfer.programs import Program, raise_failure

_PROGRAM: Final = "reconstruction_operator.transfer.objects.program"
_POLL_SECONDS: Final = 0.1
_ABORT_SECONDS: Final = 1.5  # time in which the process may abort an upload; a cancel must take effect within 2 s
_EXIT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 30.0  # the process reports twice a second
_CHUNK_BYTES: Final = 65_536


def perform(wanted: TransferRequest, report: OnProgress) -> dict[str, Any]:
    """Execute the request in a process, and return its outcome. If `report` raises, the process is ended.

    Raises StorageError, OvertakenError or OSError, as the process reports it.
    """
    program = Program.start(_PROGRAM)
    try:
        outcome = _listen(program, request.to_line(wanted), report)
    finally:
        program.end(_ABORT_SECONDS)
    raise_failure(outcome)
    return outcome


def _listen(program: Program, line: bytes, report: OnProgress) -> dict[str, Any]:
    with contextlib.suppress(BrokenPipeError):
        program.send(line)
    output, unread = program.answers.fileno(), b""
    done = (0, 0, 0, 0)
    heard_at = time.monotonic()
    while True:
        report(*done)
        if select.select([output], [], [], _POLL_SECONDS)[0]:
            chunk = os.read(output, _CHUNK_BYTES)
            if not chunk:
                code = program.process.wait(_EXIT_SECONDS)
                raise OSError(f"the process that transfers objects exited with code {code}")
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
