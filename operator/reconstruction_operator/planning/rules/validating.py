"""Validation of the spec and of what its namespace may do, before anything of the job has started."""

from __future__ import annotations

from dataclasses import replace

from reconstruction_operator.api.status import Failure
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.status.details import failure_of


def decide(case: Case) -> Decision | None:
    """The spec has a mistake that the API server cannot see, or the namespace may not have the job: it fails at once."""
    if case.touched or case.job.spec.cancel_confirmed:
        return None
    if case.job.problems:
        failure = Failure("INVALID_SPEC", " ".join(case.job.problems), retriable=False)
    elif case.seen.refused is not None:
        failure = failure_of(*case.seen.refused)
    else:
        return None
    status = replace(case.stored, failure=failure, completion_time=case.at, next_attempt_time=None)
    return Decision(JobState.INVALID, status)
