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
from typing import Final

from reconstruction_operator import config, privacy
from reconstruction_operator.contract import outcomes
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Verdict
from reconstruction_operator.jobfiles import publishing
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.transfer import survey, unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.programs import end_with_worker
from reconstruction_operator.worker.attempt.loading import check_count
from reconstruction_operator.worker.model.selection import choose

_MEMORY_BYTES: Final = 2 << 30
_NICE: Final = 10  # the worker's jobs come first


def perform(request: CheckRequest) -> Checked:
    """Check the input as a run would, without copying it. A run whose result exists already needs no input."""
    if publishing.read_sealed(request.job_id) is not None:
        return Checked(Verdict.USABLE, message="The result exists already.")
    try:
        choice = choose(request.model, request.parameters)
        if choice.simulated:
            return Checked(Verdict.USABLE, message="It is not read: the run is simulated.")
        contents = survey.survey(request.uri, Limits.from_config(request.namespace))
        if contents.count is not None:
            check_count(contents.count, choice.model, contents.ignored)
    except (ModelFailure, StorageError) as error:
        # Another worker may have the model, and the server may respond to another try.
        is_final = error.reason != "BACKEND_UNAVAILABLE" and not outcomes.reason(error.reason).retriable
        return Checked(Verdict.UNUSABLE if is_final else Verdict.UNKNOWN, reason=error.reason, message=error.message)
    return Checked(Verdict.USABLE, message=f"{contents}.")


def main() -> None:
    """Carry out the request on stdin. Write the result."""
    privacy.hide_memory()
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    unpacker.limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    message = json.loads(sys.stdin.buffer.readline())
    end_with_worker()
    try:
        config.take_over(message["settings"])
        result = perform(CheckRequest.from_text(message["request"]))
    except Exception as error:  # noqa: BLE001  # a defect, which the run itself will show
        text = f"The check failed with an internal error: {type(error).__name__}: {error}".splitlines()[0]
        result = Checked(Verdict.UNKNOWN, message=text)
    sys.stdout.write(result.to_text() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
