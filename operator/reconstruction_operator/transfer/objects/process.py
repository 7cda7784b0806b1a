"""Transfer process: what the worker asks of it. The process is started, and killed once the transfer is no longer wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.programs import OnProgress, Program
from reconstruction_operator.transfer.runs import Run

_PROGRAM: Final = "reconstruction_operator.transfer.objects.program"
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
    program = Program.start(_PROGRAM)
    try:
        return program.ask(request, report)
    finally:
        program.end(_ABORT_SECONDS)
