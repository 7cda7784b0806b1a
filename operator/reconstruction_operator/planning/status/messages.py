"""Message of the status: the state of a job in one sentence."""

from __future__ import annotations

from reconstruction_operator.api import figures
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.status.waiting import Wait


def sentence(case: Case, decision: Decision, wait: Wait | None) -> str:
    """Return the message. It has no times that pass, so that an idle job causes no writes."""
    if decision.text is not None:
        return decision.text
    if wait is not None:
        return wait.sentence
    status = decision.status
    match decision.state:
        case JobState.INVALID:
            return f"Not accepted: {status.why_failed}"
        case JobState.RUNNING:
            return f"Worker {case.worker} has begun"
        case JobState.RECOVERING:
            return f"Redis lost data: waiting for {_worker(case)} to register again"
        case JobState.CANCELLING:
            return f"Cancelling: waiting for {_worker(case)} to stop" if decision.stopping else "Cancelling"
        case JobState.SUCCEEDED:
            return succeeded(status)
        case JobState.FAILED:
            return _failed(status)
        case JobState.CANCELLED:
            return f"Cancelled: {case.job.spec.cancel_reason}" if case.job.spec.cancel_reason else "Cancelled"
    raise AssertionError(f"{decision.state} has no row in the table of waiting")


def succeeded(status: Status) -> str:
    """Return the message of a succeeded job: what is wrong with its result, or what its numbers say of the mesh."""
    if status.warning and not status.simulated:
        return f"Warning: {status.warning}"
    reused = ", with the result of an earlier job" if status.reused_from is not None else ""
    if status.simulated:
        return f"Simulated, not made from the photos{reused}"
    words = figures.in_words(status.quality, status.size)
    return f"Succeeded{reused}: a mesh of {words}" if words else f"Succeeded{reused}"


def _failed(status: Status) -> str:
    attempts = f" after {status.attempt} attempts" if status.attempt > 1 else ""
    return f"Failed{attempts}: {status.failure.reason if status.failure else ''}: {status.why_failed}"


def _worker(case: Case) -> str:
    name = case.worker or case.stored.worker
    return f"worker {name}" if name else "the worker"
