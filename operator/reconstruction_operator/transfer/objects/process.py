"""Transfer process: starts the process that transfers objects, and kills it once the transfer is no longer wanted."""

from __future__ import annotations

import contextlib
import json
import pickle
import time
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.transfer.objects.request import OnProgress, TransferRequest
from reconstruction_operator.transfer.programs import Program, raise_failure

_PROGRAM: Final = "reconstruction_operator.transfer.objects.program"
_POLL_SECONDS: Final = 0.1
_ABORT_SECONDS: Final = 1.5  # time in which the process may abort an upload; a cancel must take effect within 2 s
_EXIT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 30.0  # the process reports four times a second


def perform(wanted: TransferRequest, report: OnProgress) -> dict[str, Any]:
    """Execute the request in a process, and return its outcome. If `report` raises, the process is ended.

    Raises StorageError, SupersededError or OSError, as the process reports it.
    """
    program = Program.start(_PROGRAM)
    try:
        outcome = _listen(program, wanted, report)
    finally:
        program.end(_ABORT_SECONDS)
    raise_failure(outcome)
    return outcome


def _listen(program: Program, wanted: TransferRequest, report: OnProgress) -> dict[str, Any]:
    with contextlib.suppress(BrokenPipeError):
        program.send(pickle.dumps((config.for_child(), wanted)))
    done = [0, 0, 0, 0]
    heard_at = time.monotonic()
    while True:
        report(*done)
        line = program.read_line(time.monotonic() + _POLL_SECONDS)
        if line is None:
            if time.monotonic() - heard_at > _SILENCE_SECONDS:
                raise OSError("the process that transfers objects hangs")
            continue
        if not line:
            code = program.process.wait(_EXIT_SECONDS)
            raise OSError(f"the process that transfers objects exited with code {code}")
        heard_at = time.monotonic()
        message: dict[str, Any] = json.loads(line)
        if "progress" not in message:
            return message
        done = message["progress"]
