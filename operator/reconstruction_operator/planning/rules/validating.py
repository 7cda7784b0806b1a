"""Validation of the spec, before anything of the job has started; afterwards its inputs are immutable."""

from __future__ import annotations

from dataclasses import replace

from reconstruction_operator.api.status import Failure
from reconstruction_operator.planning.case import Case, Decision, Stage


def decide(case: Case) -> Decision | None:
    """The spec has a mistake that the API server cannot see: the job fails at once."""
    if case.touched or case.job.spec.cancel_confirmed or not case.job.problems:
        return None
    failure = Failure("INVALID_SPEC", " ".join(case.job.problems), retriable=False)
    status = replace(case.stored, failure=failure, completion_time=case.at, next_attempt_time=None)
    return Decision(Stage.INVALID, status)
