"""Validation of the spec and of the namespace's permissions, before the job has started."""

from __future__ import annotations

from dataclasses import replace

from reconstruction_operator.api.status import Failure
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.status.details import failure_of


def decide(case: Case) -> Decision | None:
    """Fail a job whose spec has a mistake that the API server cannot detect, or that its namespace may not have."""
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
