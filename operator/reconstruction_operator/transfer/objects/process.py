"""Transfer process: what the worker asks of it. The process is started, and killed once the transfer is no longer wanted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.programs import OnProgress, Program
from reconstruction_operator.transfer.runs import Run

_PROGRAM: Final = "reconstruction_operator.transfer.objects.program"
_LIST_STALLS: Final = 20  # times the time of a stalled request: maximum for a complete list
_ABORT_SECONDS: Final = 1.5  # time in which the process may abort an upload; a cancel must take effect within 2 s


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


def perform(request: TransferRequest, report: OnProgress) -> dict[str, Any]:
    """Execute the request in a process, and return its outcome. If `report` raises, the process is ended.

    Raises StorageError, SupersededError or OSError, as the process reports it.
    """
    program, begun = Program.start(_PROGRAM, credentials=True), time.monotonic()

    def limited(*done: int) -> None:
        report(*done)
        seconds = _LIST_STALLS * config.settings.STORAGE_STALL_SECONDS
        if not any(done) and time.monotonic() - begun > seconds:  # pages without an end may all be empty
            reason = "INPUT_UNREACHABLE" if isinstance(request, FetchRequest) else "OUTPUT_UPLOAD_FAILED"
            raise StorageError(reason, f"{request.address} was not listed within {seconds:.0f} s")

    try:
        return program.ask(request, limited)
    finally:
        program.end(_ABORT_SECONDS)
