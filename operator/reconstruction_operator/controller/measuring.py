"""What the metrics learn from jobs: waits, steps, ends. One look at each status that was stored, and at each report."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Histogram

from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.planning.types import Job
from reconstruction_operator.telemetry import metrics

_STEP_NAMES = {step.index: step.name for step in STEPS}


def stored(job: Job, status: Status) -> None:
    """Count what `status` says that `job.status` did not."""
    before = job.status
    is_known = before.attempt == status.attempt and _began(before) is not None
    if status.dispatch_time is not None and not is_known:
        _observe(metrics.QUEUE_WAIT.labels(job.queue), status.dispatch_time, _began(status))
    if status.phase is None or not status.phase.finished or before.phase is status.phase:
        return
    reason = status.failure.reason if status.failure and status.phase == "Failed" else ""
    metrics.JOBS_FINISHED.labels(status.phase.value, reason).inc()
    metrics.JOB_ATTEMPTS.observe(status.attempt)
    if status.start_time is not None:
        _observe(metrics.RUN_TIME.labels(status.phase.value), status.start_time, status.completion_time)
    if status.cancel is not None and status.cancel.confirmed_at is not None:
        _observe(metrics.CANCEL_TIME, status.cancel.confirmed_at, status.cancel.acknowledged_at)


def _began(status: Status) -> datetime | None:
    """When a worker took the attempt, as far as the status says: of a later one by its first report."""
    if status.worker is None or status.dispatch_time is None:
        return None
    if status.attempt <= 1:
        return status.start_time
    at = status.progress.last_update_time if status.progress else None
    return at if at is not None and at >= status.dispatch_time else None


class StepClock:
    """How long attempts stay in each step, from the reports that come by."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[int, datetime]] = {}  # by job id: step, and when it began

    def report(self, job_id: str, report: ProgressReport | None, now: datetime) -> None:
        """A look at the job's attempt; None where nothing of it runs (any more)."""
        known = self._since.get(job_id)
        if report is None or report.step_index not in _STEP_NAMES:
            if known is not None:
                del self._since[job_id]
                _observe(metrics.STEP_TIME.labels(_STEP_NAMES[known[0]]), known[1], now)
            return
        if known is not None and known[0] == report.step_index:
            return
        at = report.at or now
        if known is not None and known[0] < report.step_index:  # else a new attempt has begun from the first step
            _observe(metrics.STEP_TIME.labels(_STEP_NAMES[known[0]]), known[1], at)
        self._since[job_id] = (report.step_index, at)

    def forget(self, job_id: str) -> None:
        """The job is gone."""
        self._since.pop(job_id, None)


def _observe(histogram: Histogram, start: datetime, end: datetime | None) -> None:
    if end is not None:
        histogram.observe(max(0.0, (end - start).total_seconds()))
