"""Validation of the spec and of the namespace's permissions, before the job has started."""

from __future__ import annotations

from dataclasses import replace

from reconstruction_operator.api.identity import MAX_ATTEMPT
from reconstruction_operator.api.status import Failure
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.status.details import failure_of


def refuse_attempt(case: Case) -> Decision | None:
    """Fail a job that was given the last number of an attempt by hand, or a larger one: it would wait forever for its
    next attempt.
    """
    if case.attempt < MAX_ATTEMPT or case.worker or case.job.spec.cancel_confirmed:
        return None
    text = f"status.attempt is {case.attempt}, and no attempt can follow: the operator never writes such a number."
    return _fail(case, failure_of("INVALID_STATUS", text), JobState.FAILED)


def decide(case: Case) -> Decision | None:
    """Fail a job whose spec has a mistake that the API server cannot detect, or that its namespace may not have."""
    if case.touched or case.job.spec.cancel_confirmed:
        return None
    if case.job.problems:
        failure = Failure("INVALID_SPEC", " ".join(case.job.problems), retriable=False)
    elif case.observed.refused is not None:
        failure = failure_of(*case.observed.refused)
    else:
        return None
    return _fail(case, failure, JobState.INVALID)


def _fail(case: Case, failure: Failure, state: JobState) -> Decision:
    return Decision(state, replace(case.stored, failure=failure, completion_time=case.at, next_attempt_time=None))
