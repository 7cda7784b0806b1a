"""A worker's part of a job's trace: the attempt, and each of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from celery.signals import worker_process_shutdown, worker_shutdown

from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import StepInfo
from reconstruction_operator.telemetry import tracing
from reconstruction_operator.telemetry.tracing import Place, Span

_FLUSH_SECONDS: Final = 2.0  # when a process of the pool, or the worker, ends


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class AttemptTrace:
    """Of one attempt. `traceparent` is what came with the message; without it the trace is the job's own."""

    job_id: str
    task_id: str
    worker: str
    traceparent: str = ""
    model: str = ""
    now: Callable[[], datetime] = _now
    emit: Callable[[Span], None] = tracing.emit
    _begun: datetime = field(init=False)
    _step: StepInfo | None = field(init=False, default=None)
    _step_begun: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self._step_begun = self.now()

    @property
    def parent(self) -> Place:
        """What the attempt is a part of."""
        return Place.parse(self.traceparent) or tracing.of_job(self.job_id)

    def reached(self, step: StepInfo) -> None:
        """It is in that step: the one before is over."""
        if self._step is None or self._step.index != step.index:
            self._end_step("")
            self._step, self._step_begun = step, self.now()

    def ended(self, end: End | None) -> None:
        """It is over: with the end that counts, or None."""
        outcome = "Overtaken" if end is None else end.outcome.value
        failed = end is not None and end.outcome is Outcome.FAILED
        error = f"{end.reason}: {end.message}" if end is not None and failed else ""
        self._end_step(error)
        attributes = {
            "job.id": self.job_id,
            "messaging.message.id": self.task_id,
            "worker": self.worker,
            "job.model": self.model,
            "outcome": outcome,
            "reason": "" if end is None else end.reason,
        }
        self.emit(Span(tracing.WORKER, "attempt", self._place, self.parent, self._begun, self.now(), attributes, error))

    @property
    def _place(self) -> Place:
        return self.parent.child("attempt", self.task_id)

    def _end_step(self, error: str) -> None:
        if self._step is not None:
            place, name = self._place.child(self._step.index), self._step.name
            self.emit(Span(tracing.WORKER, name, place, self._place, self._step_begun, self.now(), error=error))
        self._step = None


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
@worker_shutdown.connect  # type: ignore[untyped-decorator]
def send_the_rest(**_: Any) -> None:
    """The process ends; its thread would end with it."""
    tracing.flush(_FLUSH_SECONDS)
