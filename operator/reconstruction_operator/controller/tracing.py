"""The operator's part of a job's trace: the whole job, its waits, its cancel. Read from the statuses that were stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.planning.types import Job
from reconstruction_operator.telemetry import tracing
from reconstruction_operator.telemetry.tracing import Span

Emit = Callable[[Span], None]


def stored(job: Job, status: Status, emit: Emit = tracing.emit) -> None:
    """Emit what `status` says that `job.status` did not."""
    root = tracing.of_job(job.key.job_id)
    before = job.status

    def span(name: str, start: datetime | None, end: datetime | None) -> None:
        if start is not None and end is not None:
            place = root.child(name, status.attempt)
            attributes: dict[str, str | int] = {"job.attempt": status.attempt, "job.queue": job.queue}
            emit(Span(tracing.OPERATOR, name, place, root, start, end, attributes))

    # A worker may be known before its first progress, or with it: the wait is told once both are there.
    if status.progress is not None and _begun(status) and not (_begun(before) and before.attempt == status.attempt):
        begun = status.progress.last_update_time or status.start_time
        span("wait for a worker", status.dispatch_time, begun)
    if status.phase is None or not status.phase.finished or before.phase is status.phase:
        return
    if status.cancel is not None:
        span("cancel", status.cancel.confirmed_at, status.cancel.acknowledged_at)
    failed = status.failure if status.phase is Phase.FAILED else None
    emit(
        Span(
            tracing.OPERATOR,
            "ReconstructionJob",
            root,
            None,
            job.created,
            status.completion_time or job.created,
            {
                "k8s.namespace.name": job.key.namespace,
                "job.name": job.key.name,
                "job.uid": job.key.uid,
                "job.model": job.spec.model_type,
                "job.queue": job.queue,
                "job.phase": status.phase.value,
                "job.attempts": status.attempt,
            },
            error="" if failed is None else f"{failed.reason}: {failed.message}",
        )
    )


def _begun(status: Status) -> bool:
    return status.worker is not None and status.progress is not None
