"""Withdrawal process, the worker's side: starts the program for one withdrawal, and kills it if it hangs."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.outputs import target_of
from reconstruction_operator.transfer.programs import Program, raise_failure
from reconstruction_operator.worker.deleting import hung_mounts, program
from reconstruction_operator.worker.deleting.program import Withdrawal

_PROGRAM: Final = program.__name__
SECONDS: Final = 60.0  # for one withdrawal
_POLL_SECONDS: Final = 0.5
_STALL_SECONDS: Final = 15.0  # without progress, after which a mount counts as hung; a store has timeouts of its own


def perform(withdrawal: Withdrawal) -> None:
    """Carry out the withdrawal within a minute.

    A folder in which it made no progress is avoided for some minutes. A slow withdrawal is killed too, but the next one continues it.

    Raises OSError, SupersededError or StorageError as `Withdrawal.perform`; TimeoutError, an OSError, if it took too long or needs a folder
    that hangs.
    """
    path = target_of(withdrawal.uri, withdrawal.namespace).path
    hung = None if path is None else hung_mounts.above(path)
    if hung is not None:
        raise TimeoutError(f"{path} is skipped for now: a deletion in {hung} timed out")
    child, hangs, left = Program.start(_PROGRAM), False, 0
    try:
        message = _exchange(child, withdrawal.to_line(), SECONDS if path is None else _STALL_SECONDS)
        hangs = message is None
    finally:  # also after a signal of a time limit
        left = 0 if child.end() else child.process.pid
        if path is not None and (hangs or left):
            hung_mounts.remember(path, left)
    if message is None:
        raise TimeoutError(f"no progress at {uris.redacted(withdrawal.uri)}: see whether the disk responds")
    raise_failure(message)


def _exchange(child: Program, line: bytes, stall_seconds: float) -> dict[str, Any] | None:
    """Return the outcome; None if the program made no progress for `stall_seconds`. Raises OSError if it ended or is slow."""
    with contextlib.suppress(BrokenPipeError):
        child.send(line)
    before, changed_at = "", (begun := time.monotonic())
    while (answer := child.read_line(time.monotonic() + _POLL_SECONDS)) is None:
        progress, now = _progress(child.process.pid), time.monotonic()
        if progress != before:
            before, changed_at = progress, now
        elif now - changed_at >= stall_seconds:
            return None
        if now - begun >= SECONDS:
            raise TimeoutError(f"not finished within {SECONDS:.0f} s; the next order continues")
    if not answer:
        raise OSError("the process that deletes copies has ended")
    message: dict[str, Any] = json.loads(answer)
    return message


def _progress(process: int) -> str:
    """Return the processor time and the context switches of the process, which do not change while one system call hangs."""
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return " ".join([*times, *(line for line in lines if "ctxt_switches" in line)])
