"""`.status.message`: what is going on with a job, in one sentence for people."""

from __future__ import annotations

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.case import Case, Decision, Stage
from reconstruction_operator.planning.scheduling import quarantine


def sentence(case: Case, decision: Decision) -> str:
    """The message of the moment. Nothing in it changes while nothing happens, so it is not written again and again."""
    if decision.text is not None:
        return decision.text
    status, queue = decision.status, case.job.queue
    nobody = "no live worker listens to" if case.seen.queue.workers == 0 else ""
    match decision.stage:
        case Stage.INVALID:
            return f"Not accepted: {_why(status)}"
        case Stage.WAITING if quarantine(queue, status) and not nobody:
            return f"Waiting for its turn in queue {queue}: jobs that lost the same worker are tried one after another"
        case Stage.WAITING:
            return f"Waiting for a worker: {nobody} queue {queue}" if nobody else f"Waiting for room in queue {queue}"
        case Stage.BACKOFF:
            return _backing_off(case, status)
        case Stage.QUEUED:
            return f"Waiting for a worker: {nobody} queue {queue}" if nobody else f"Waiting in queue {queue}"
        case Stage.RUNNING:
            return f"Worker {case.worker} has begun"
        case Stage.RECOVERING:
            return f"Redis was emptied: waiting for {_who(case)} to register again"
        case Stage.SUSPENDED:
            return "Suspended: set spec.suspend to false to go on"
        case Stage.CANCELLING:
            return f"Cancelling: waiting for {_who(case)} to stop" if decision.stopping else "Cancelling"
        case Stage.SUCCEEDED:
            return _succeeded(status)
        case Stage.FAILED:
            return _failed(status)
        case Stage.CANCELLED:
            return "Cancelled"


def _backing_off(case: Case, status: Status) -> str:
    at_most = status.attempt + max(0, case.job.spec.backoff_limit - status.failures)
    when = format_time(status.next_attempt_time) if status.next_attempt_time else "soon"
    after = f" after {status.failure.reason}" if status.failure else ""
    return f"Attempt {status.attempt} of at most {at_most} starts at {when}{after}"


def _succeeded(status: Status) -> str:
    where = f": {status.outputs.uri}" if status.outputs and status.outputs.uri else ""
    return f"Simulated, not made from the photos{where}" if status.simulated else f"Succeeded{where}"


def _failed(status: Status) -> str:
    attempts = f" after {status.attempt} attempts" if status.attempt > 1 else ""
    return f"Failed{attempts}: {status.failure.reason if status.failure else ''}: {_why(status)}"


def _why(status: Status) -> str:
    return status.failure.message if status.failure else ""


def _who(case: Case) -> str:
    name = case.worker or case.stored.worker
    return f"worker {name}" if name else "the worker"
