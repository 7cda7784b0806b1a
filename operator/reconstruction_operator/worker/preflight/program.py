"""Preflight program: `python -P -m reconstruction_operator.worker.preflight.program` checks one input.

It is a separate process because a call on a dead mount never returns, and a decoder of hostile photos may crash. It reads the request and
the settings from stdin and writes the result to stdout. It ends with its worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import threading
from typing import Final

from reconstruction_operator import config, privacy
from reconstruction_operator.contract import outcomes
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Verdict
from reconstruction_operator.jobfiles import publishing
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.preflight import survey
from reconstruction_operator.worker.attempt.loading import check_count
from reconstruction_operator.worker.model.selection import choose

_MEMORY_BYTES: Final = 2 << 30
_NICE: Final = 10  # the worker's jobs come first


def to_line(request: CheckRequest) -> bytes:
    """Return the request with the settings in use, as the program reads it."""
    return json.dumps({"request": request.to_text(), "settings": config.for_child()}).encode() + b"\n"


def from_line(line: bytes) -> CheckRequest:
    """Return the request; take over the settings."""
    message = json.loads(line)
    config.take_over(message["settings"])
    return CheckRequest.from_text(message["request"])


def perform(request: CheckRequest) -> Checked:
    """Check the input as a run would, without copying it. A run whose result exists already needs no input."""
    if publishing.read_sealed(request.job_id) is not None:
        return Checked(Verdict.USABLE, message="The result exists already.")
    try:
        choice = choose(request.model, request.parameters)
        if choice.simulated:
            return Checked(Verdict.USABLE, message="It is not read: the run is simulated.")
        found = survey.survey(request.uri, Limits.from_config(request.namespace))
        if found.count is not None:
            check_count(found.count, choice.model, found.ignored)
    except (ModelFailure, StorageError) as error:
        # Another worker may have the model, and the server may respond to another try.
        is_final = error.reason != "BACKEND_UNAVAILABLE" and not outcomes.reason(error.reason).retriable
        return Checked(Verdict.UNUSABLE if is_final else Verdict.UNKNOWN, reason=error.reason, message=error.message)
    return Checked(Verdict.USABLE, message=f"{found}.")


def reach(request: CheckRequest) -> None:
    """Access a `file://` input, to check that its disk responds. On a dead mount this never returns."""
    with contextlib.suppress(StorageError):
        parts = uris.split(request.uri, "INPUT_REFUSED")
        if parts.scheme == "file":
            os.path.lexists(Limits.from_config(request.namespace).located(uris.local_path(parts, "INPUT_REFUSED")))


def main() -> None:
    """Carry out the request on stdin. Write an empty line once the disk of the input responds, then the result."""
    privacy.hide_memory()
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(_MEMORY_BYTES, hard), hard)
    )
    request = from_line(sys.stdin.buffer.readline())
    threading.Thread(target=_wait_for_the_end, daemon=True).start()
    try:
        reach(request)
        _write("")
        found = perform(request)
    except Exception as error:  # noqa: BLE001  # a defect, which the run itself will show
        found = Checked(
            Verdict.UNKNOWN, message=f"The check failed with an internal error: {type(error).__name__}: {error}"
        )
    _write(found.to_text())


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _wait_for_the_end() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # the worker has ended


if __name__ == "__main__":
    main()
