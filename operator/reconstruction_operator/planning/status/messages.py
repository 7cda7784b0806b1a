"""Message of the status: the state of a job in one sentence."""

from __future__ import annotations

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.scheduling import quarantine


def sentence(case: Case, decision: Decision) -> str:
    """Return the message. It has no times that pass, so that an idle job causes no writes."""
    if decision.text is not None:
        return decision.text
    status, queue = decision.status, case.job.queue
    unserved = f"Waiting for a worker: no live worker listens to queue {queue}" if case.seen.workers == 0 else ""
    match decision.state:
        case JobState.INVALID:
            return f"Not accepted: {status.why_failed}"
        case JobState.WAITING if quarantine(queue, status) and not unserved:
            return f"Waiting for its turn in queue {queue}: jobs that lost the same worker are tried one at a time"
        case JobState.WAITING:
            return unserved or case.seen.no_model or case.seen.waits_for.text or f"Waiting for room in queue {queue}"
        case JobState.BACKOFF:
            return _backing_off(case, status)
        case JobState.QUEUED:
            return unserved or f"Waiting in queue {queue}"
        case JobState.RUNNING:
            return f"Worker {case.worker} has begun"
        case JobState.RECOVERING:
            return f"Redis lost data: waiting for {_worker(case)} to register again"
        case JobState.SUSPENDED:
            return "Suspended: set spec.suspend to false to continue"
        case JobState.CANCELLING:
            return f"Cancelling: waiting for {_worker(case)} to stop" if decision.stopping else "Cancelling"
        case JobState.SUCCEEDED:
            return succeeded(status)
        case JobState.FAILED:
            return _failed(status)
        case JobState.CANCELLED:
            return f"Cancelled: {case.job.spec.cancel_reason}" if case.job.spec.cancel_reason else "Cancelled"


def _backing_off(case: Case, status: Status) -> str:
    at_most = status.attempt + max(0, case.job.spec.backoff_limit - status.failures)
    when = format_time(status.next_attempt_time) if status.next_attempt_time else "soon"
    after = f" after {status.failure.reason}" if status.failure else ""
    if status.redis_losses:
        after = f": Redis lost {status.redis_losses} attempts in a row"
    return f"Attempt {status.attempt} of at most {at_most} starts at {when}{after}"


def succeeded(status: Status) -> str:
    """Return the message of a succeeded job: what is wrong with its result, or where it is."""
    if status.warning and not status.simulated:
        return f"Warning: {status.warning}"
    reused = ", with the result of an earlier job" if status.reused_from is not None else ""
    if status.simulated:
        return f"Simulated, not made from the photos{reused}"
    return f"Succeeded{reused}: {status.outputs.uri}" if status.outputs and status.outputs.uri else f"Succeeded{reused}"


def _failed(status: Status) -> str:
    attempts = f" after {status.attempt} attempts" if status.attempt > 1 else ""
    return f"Failed{attempts}: {status.failure.reason if status.failure else ''}: {status.why_failed}"


def _worker(case: Case) -> str:
    name = case.worker or case.stored.worker
    return f"worker {name}" if name else "the worker"
