"""Preflight process, the worker's side: kills a check that does not finish in time, with its process."""

from __future__ import annotations

import contextlib
import json
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
_REFUSED: Final = "INPUT_REFUSED"


@dataclass
class PreflightProcess:
    """Checks one input at a time. Hung mounts are skipped for a backoff period, so that other inputs can be checked.

    A process that cannot be killed (on a dead mount) is left behind. While too many of them exist, no input is checked.
    """

    seconds: float = SECONDS
    _left: list[Program] = field(default_factory=list, init=False)

    @property
    def hangs(self) -> bool:
        """Whether too many earlier checks still hang."""
        self._left = [one for one in self._left if one.running]
        return len(self._left) >= _MOST_LEFT

    def perform(self, request: CheckRequest) -> Checked:
        """Check the input. A check that times out or ends without a result has the verdict UNKNOWN.

        Raises OSError if the process cannot be started.
        """
        path, shown = _path_of(request), uris.redacted(request.uri)
        if path is not None and hung_mounts.above(path) is not None:
            return Checked(Verdict.UNKNOWN, message=f"{shown} was not checked: an earlier check of its disk timed out.")
        child, line = Program.start(program.__name__), None
        until = time.monotonic() + self.seconds
        try:
            with contextlib.suppress(BrokenPipeError):
                child.send(program.to_line(request))
            responds = child.read_line(until) is not None
            line = child.read_line(until)
        finally:
            left = 0 if child.end() else child.process.pid
            if left:
                self._left.append(child)
        if path is not None:  # a slow disk is not skipped, since any tenant can make a check slow
            hung_mounts.forget(path) if responds and not left else hung_mounts.remember(path, left)
        if line is None:
            text = f"{shown} could not be checked within {self.seconds:.0f} s: see whether its disk or server responds."
            return Checked(Verdict.UNKNOWN, message=text)
        found = Checked.of(json.loads(line)) if line else None
        if found is None:
            return Checked(Verdict.UNKNOWN, message=f"The process that checked {shown} ended without a result.")
        return found


def _path_of(request: CheckRequest) -> Path | None:
    """Return the input's path on this worker's disks, without accessing them; None if it is not there."""
    try:
        parts = uris.split(request.uri, _REFUSED)
        if parts.scheme != "file":
            return None
        return Limits.from_config(request.namespace).located(uris.local_path(parts, _REFUSED))
    except StorageError:
        return None
