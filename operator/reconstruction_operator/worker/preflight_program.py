"""Preflight program: `python -P -m reconstruction_operator.worker.preflight_program` checks one input.

It is a separate process because a call on a dead mount never returns, and a decoder of hostile photos may crash.
"""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import asdict
from typing import Final

from reconstruction_operator.contract import outcomes
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Usability
from reconstruction_operator.jobfiles import publishing
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.transfer import programs, survey, unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.worker.attempt.loading import check_count
from reconstruction_operator.worker.model.selection import choose

_MEMORY_BYTES: Final = 2 << 30
_NICE: Final = 10  # the worker's jobs come first


def perform(request: CheckRequest) -> Checked:
    """Check the input as a run would, without copying it. A run whose result exists already needs no input."""
    if publishing.read_sealed(request.job.uid) is not None:
        return Checked(Usability.USABLE, message="The result exists already.")
    try:
        choice = choose(request.model, request.parameters)
        if choice.simulated:
            return Checked(Usability.USABLE, message="It is not read: the run is simulated.")
        contents = survey.survey(request.uri, Limits.from_config(request.job.namespace))
        if contents.count is not None:
            check_count(contents.count, choice.model, contents.ignored)
    except (ModelFailure, StorageError) as error:
        # Another worker may have the model, and the server may respond to another try.
        usability = Usability.UNKNOWN if outcomes.reason(error.reason).retriable else Usability.UNUSABLE
        return Checked(usability, reason=error.reason, message=error.message)
    return Checked(Usability.USABLE, message=f"{contents}.")


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    unpacker.limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    programs.serve(lambda request, _progress: asdict(perform(request)))
