"""Check process: the worker's side. A check that does not end in time is killed with its process."""

from __future__ import annotations

import contextlib
import json
import select
from dataclasses import dataclass, field
from typing import Final

from reconstruction_operator.contract.checks import Checked, CheckRequest, Verdict
from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.programs import Program
from reconstruction_operator.worker.checking import program

SECONDS: Final = 30.0


@dataclass
class CheckProcess:
    """Looks at one input at a time. A process that cannot be killed (a dead mount) is left behind: until it ends, nothing is looked at."""

    seconds: float = SECONDS
    _left: Program | None = field(default=None, init=False)

    @property
    def hangs(self) -> bool:
        """Whether an earlier check still hangs."""
        return self._left is not None and self._left.running

    def perform(self, request: CheckRequest) -> Checked:
        """Look at the input."""
        child = Program.start(program.__name__)
        try:
            return self._listen(child, request)
        finally:
            if not child.end():
                self._left = child

    def _listen(self, child: Program, request: CheckRequest) -> Checked:
        with contextlib.suppress(BrokenPipeError):
            child.send(program.to_line(request))
        shown = uris.redacted(request.uri)
        if not select.select([child.answers], [], [], self.seconds)[0]:
            text = (
                f"{shown} could not be looked at within {self.seconds:.0f} s: see whether its disk or server answers."
            )
            return Checked(Verdict.UNKNOWN, message=text)
        line = child.answers.readline()
        found = Checked.of(json.loads(line)) if line else None
        if found is None:
            return Checked(Verdict.UNKNOWN, message=f"The process that looked at {shown} ended without an answer.")
        return found
