"""Transfer process: what the worker asks of it. The process is started, and killed once the transfer is no longer wanted."""

from __future__ import annotations

import contextlib
import json
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.programs import Program, raise_failure
from reconstruction_operator.transfer.runs import Run

_PROGRAM: Final = "reconstruction_operator.transfer.objects.program"
_POLL_SECONDS: Final = 0.1
_ABORT_SECONDS: Final = 1.5  # time in which the process may abort an upload; a cancel must take effect within 2 s
_EXIT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 30.0  # the process reports four times a second

OnProgress = Callable[[int, int, int, int], None]
"""Takes the objects done, all objects, the bytes done and all bytes. Called often, even without progress; may raise."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Fetch the photos of a folder, or one archive, into the folder `kept`; nothing if the listing has a `known` digest."""

    address: ObjectAddress
    kept: Path
    max_bytes: int
    max_files: int
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliverRequest:
    """Deliver a sealed result; without `source`, only check whether the delivery would be refused."""

    address: ObjectAddress
    run: Run
    source: Path | None


TransferRequest = FetchRequest | DeliverRequest


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
