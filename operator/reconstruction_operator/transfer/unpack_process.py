"""Unpack process: starts the process that unpacks an archive (`unpacker.py`), and watches it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, BinaryIO

from reconstruction_operator.transfer import unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.names import Fetched, Ignored
from reconstruction_operator.transfer.programs import Program


def unpack(archive: BinaryIO, label: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Write the photos of `archive` (`label` in messages) to the empty folder `into`.

    `tick` is called for each piece that is read, even if it contains no photo. If `tick` raises, the process is killed.

    Raises:
        StorageError: INPUT_REFUSED: not an archive, damaged, encrypted, too large, or with an entry that leads out of
            it.
        OSError: the disk is full or broken.
    """
    request = json.dumps({"into": str(into), "max_bytes": limits.max_bytes, "max_files": limits.max_files})
    program = Program.start(unpacker.__name__, request, untrusted=archive)
    try:
        outcome = _listen(program, tick)
    finally:
        program.end()
    match outcome:
        case {"photos": photos, "ignored": ignored}:
            return Fetched(tuple(into / name for name in photos), Ignored(*ignored))
        case {"errno": number, "strerror": text, "filename": name}:
            raise OSError(number, text, name or None)
        case {"refused": why}:
            raise StorageError("INPUT_REFUSED", f"{label} {why}")
    if program.process.returncode == -signal.SIGXCPU:
        raise StorageError("INPUT_REFUSED", f"{label} takes too long to unpack")
    raise RuntimeError(f"the process that unpacked {label} exited with code {program.process.returncode}")


def _listen(program: Program, tick: Tick) -> dict[str, Any]:
    """Return the outcome; empty if the program exited without one."""
    while (line := program.read_line()) != b"":
        match json.loads(line or b"null"):
            case int() as photos:
                tick(0.0, f"{photos} photos unpacked")
            case dict() as outcome:
                return outcome
    program.process.wait()
    return {}
