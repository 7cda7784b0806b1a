"""Check process: the worker's side. A check that does not end in time is killed with its process."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Final

from reconstruction_operator.contract.checks import Checked, CheckRequest, Verdict
from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.objects import environment
from reconstruction_operator.worker.checking import program

logger = logging.getLogger(__name__)

SECONDS: Final = 30.0
_KILL_SECONDS: Final = 2.0
_INHERITED: Final = (
    "LD_LIBRARY_PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "HOME",
)  # allowlist, with the credentials of object storage


@dataclass
class CheckProcess:
    """Looks at one input at a time. A process that cannot be killed (a dead mount) is left behind: until it ends, nothing is looked at."""

    seconds: float = SECONDS
    _left: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def hangs(self) -> bool:
        """Whether an earlier check still hangs."""
        return self._left is not None and self._left.poll() is None

    def perform(self, request: CheckRequest) -> Checked:
        """Look at the input."""
        process = subprocess.Popen(
            # -P: a module in the current folder must not shadow a library's.
            [sys.executable, "-P", "-m", program.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment.chosen(os.environ) | {one: os.environ[one] for one in _INHERITED if one in os.environ},
            start_new_session=True,  # Ctrl-C is for the worker, which ends this process itself
        )
        try:
            return self._listen(process, request)
        finally:
            self._end(process)

    def _listen(self, process: subprocess.Popen[bytes], request: CheckRequest) -> Checked:
        assert process.stdin is not None  # noqa: S101  # PIPE sets both; for the type checker
        assert process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(program.to_line(request))
            process.stdin.flush()
        shown = uris.redacted(request.uri)
        if not select.select([process.stdout], [], [], self.seconds)[0]:
            text = (
                f"{shown} could not be looked at within {self.seconds:.0f} s: see whether its disk or server answers."
            )
            return Checked(Verdict.UNKNOWN, message=text)
        line = process.stdout.readline()
        found = Checked.of(json.loads(line)) if line else None
        if found is None:
            return Checked(Verdict.UNKNOWN, message=f"The process that looked at {shown} ended without an answer.")
        return found

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:  # in an uninterruptible system call
            logger.error("process %d, which checks an input, does not end until its mount answers", process.pid)  # noqa: TRY400
            self._left = process
