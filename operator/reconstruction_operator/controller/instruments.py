"""Instruments: metrics and the job's trace, from each stored status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from prometheus_client import Histogram

from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.planning.types import Job
from reconstruction_operator.telemetry import metrics, tracing
from reconstruction_operator.telemetry.spans import Span

Emit = Callable[[Span], None]


def stored(job: Job, status: Status) -> None:
    """Measure and trace the change from `job.status` to `status`, which was stored."""
    measure(job, status)
    if tracing.enabled():
        trace(job, status)


def measure(job: Job, status: Status) -> None:
    """Count what is new in `status`: a wait that ended, the end of the job."""
    before = job.status
    is_known = before.attempt == status.attempt and _begun_at(before) is not None
    if status.dispatch_time is not None and not is_known:
        _observe(metrics.QUEUE_WAIT.labels(metrics.QUEUES.label(job.queue)), status.dispatch_time, _begun_at(status))
    end = _end(before, status)
    if end is None:
        return
    reason = status.failure.reason if status.failure and end is Phase.FAILED else ""
    metrics.JOBS_FINISHED.labels(end.value, reason, status.verdict or "").inc()
    metrics.JOB_ATTEMPTS.observe(status.attempt)
    if status.start_time is not None:
        _observe(metrics.RUN_TIME.labels(end.value), status.start_time, status.completion_time)
    if status.cancel is not None and status.cancel.confirmed_at is not None:
        _observe(metrics.CANCEL_TIME, status.cancel.confirmed_at, status.cancel.acknowledged_at)


def trace(job: Job, status: Status, emit: Emit = tracing.emit) -> None:
    """Emit the operator's spans of what is new in `status`: the whole job, its waits, its cancel."""
    root = tracing.of_job(job.key.job_id)
    before = job.status

    def span(name: str, start: datetime | None, end: datetime | None) -> None:
        if start is not None and end is not None:
            ids = root.child(name, status.attempt)
            attributes: dict[str, str | int] = {"job.attempt": status.attempt, "job.queue": job.queue}
            emit(Span(tracing.OPERATOR, name, ids, root, start, end, attributes))

    # The status may name the worker before the first progress report: the span of the wait is emitted once both are
    # known.
    if status.progress is not None and _reports(status) and not (_reports(before) and before.attempt == status.attempt):
        begun = status.progress.last_update_time or status.start_time
        span("wait for a worker", status.dispatch_time, begun)
    end = _end(before, status)
    if end is None:
        return
    if status.cancel is not None:
        span("cancel", status.cancel.confirmed_at, status.cancel.acknowledged_at)
    failed = status.failure if end is Phase.FAILED else None
    attributes: dict[str, str | int] = {
        "k8s.namespace.name": job.key.namespace,
        "job.name": job.key.name,
        "job.uid": job.key.uid,
        "job.model": job.spec.model_type,
        "job.queue": job.queue,
        "job.phase": end.value,
        "job.attempts": status.attempt,
    }
    error = "" if failed is None else f"{failed.reason}: {failed.message}"
    completed = status.completion_time or job.created
    emit(Span(tracing.OPERATOR, "ReconstructionJob", root, None, job.created, completed, attributes, error=error))


def _end(before: Status, status: Status) -> Phase | None:
    """Return the finished phase, if this status is the first to have it."""
    return status.phase if status.phase and status.phase.finished and before.phase is not status.phase else None


def _reports(status: Status) -> bool:
    return status.begun and status.progress is not None


def _begun_at(status: Status) -> datetime | None:
    """When a worker began the attempt: its start time, or the first report of a later attempt."""
    if not status.begun or status.dispatch_time is None:
        return None
    if status.attempt <= 1:
        return status.start_time
    at = status.progress.last_update_time if status.progress else None
    return at if at is not None and at >= status.dispatch_time else None


def _observe(histogram: Histogram, start: datetime, end: datetime | None) -> None:
    if end is not None:
        histogram.observe(max(0.0, (end - start).total_seconds()))
