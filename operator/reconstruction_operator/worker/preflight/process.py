"""Check process: the worker's side. A check that does not end in time is killed with its process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconstruction_operator.contract.preflight import Checked, CheckRequest, Verdict
from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.programs import Program
from reconstruction_operator.worker.deleting import hung_mounts
from reconstruction_operator.worker.preflight import program

SECONDS: Final = 30.0
_MOST_LEFT: Final = 3  # processes
_CHUNK_BYTES: Final = 65_536
_REFUSED: Final = "INPUT_REFUSED"


@dataclass
class CheckProcess:
    """Checks one input at a time. Mounts on which a check did not end are skipped for a while, so that other inputs can be checked.

    A process that cannot be killed (a dead mount) is left behind. While too many of them exist, nothing is checked.
    """

    seconds: float = SECONDS
    _left: list[Program] = field(default_factory=list, init=False)

    @property
    def hangs(self) -> bool:
        """Whether too many earlier checks still hang."""
        self._left = [one for one in self._left if one.running]
        return len(self._left) >= _MOST_LEFT

    def perform(self, request: CheckRequest) -> Checked:
        """Check the input."""
        place, shown = _place_of(request), uris.redacted(request.uri)
        if place is not None and any(place.is_relative_to(one) for one in hung_mounts.known()):
            return Checked(
                Verdict.UNKNOWN, message=f"{shown} was not checked: an earlier check of its disk did not end."
            )
        child, line = Program.start(program.__name__), None
        unread, until = bytearray(), time.monotonic() + self.seconds
        try:
            with contextlib.suppress(BrokenPipeError):
                child.send(program.to_line(request))
            is_reached = _line(child, unread, until) is not None
            line = _line(child, unread, until)
        finally:
            left = 0 if child.end() else child.process.pid
            if left:
                self._left.append(child)
        if place is not None:  # a slow disk is not skipped, since any tenant can make a check slow
            hung_mounts.forget(place) if is_reached and not left else hung_mounts.remember(place, left)
        if line is None:
            text = f"{shown} could not be checked within {self.seconds:.0f} s: see whether its disk or server answers."
            return Checked(Verdict.UNKNOWN, message=text)
        found = Checked.of(json.loads(line)) if line else None
        if found is None:
            return Checked(Verdict.UNKNOWN, message=f"The process that checked {shown} ended without an answer.")
        return found


def _line(child: Program, unread: bytearray, until: float) -> bytes | None:
    """The next line; empty if the process has ended, None if no line came in time. `unread`: bytes after the last line."""
    output = child.answers.fileno()
    while b"\n" not in unread:
        if not select.select([output], [], [], max(0.0, until - time.monotonic()))[0]:
            return None
        chunk = os.read(output, _CHUNK_BYTES)
        if not chunk:
            return b""
        unread += chunk
    line, _, unread[:] = unread.partition(b"\n")
    return bytes(line)


def _place_of(request: CheckRequest) -> Path | None:
    """Where the input is on this worker's disks, without touching them; None if it is elsewhere or nowhere."""
    try:
        parts = uris.split(request.uri, _REFUSED)
        if parts.scheme != "file":
            return None
        return Limits.from_config(request.namespace).located(uris.local_path(parts, _REFUSED))
    except StorageError:
        return None
