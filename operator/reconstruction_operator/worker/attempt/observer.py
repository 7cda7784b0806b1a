"""Attempt observer: reports an attempt in the worker's metrics, the job's trace and Celery's progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from celery.signals import worker_process_shutdown, worker_shutdown

from reconstruction_operator.api import codec
from reconstruction_operator.api.attempt_status import Inputs, Leg, Parts, StepTime, Usage
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEP_COUNT, StepInfo
from reconstruction_operator.state import fields
from reconstruction_operator.state.replies import HelpersUsage
from reconstruction_operator.telemetry import tracing
from reconstruction_operator.telemetry import worker_metrics as metrics
from reconstruction_operator.telemetry.relay import report
from reconstruction_operator.telemetry.spans import Span, SpanIds
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.progress import Meta, ProgressSender
from reconstruction_operator.worker.attempt.steps import Reached
from reconstruction_operator.worker.model.usage import ModelUsage

logger = logging.getLogger(__name__)

_SUPERSEDED: Final = "Superseded"  # outcome of a superseded run in metrics and traces
_FLUSH_SECONDS: Final = 2.0  # time to send the remaining spans when a pool process or the worker ends


@dataclass
class AttemptObserver:
    """Observer of one attempt, from its construction until `ended`."""

    assignment: Assignment
    sender: ProgressSender
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    emit: Callable[[Span], None] = tracing.emit
    model: str = field(init=False, default="")  # an installed model, never free text: it becomes a label
    inputs: Inputs = field(init=False, default=Inputs())
    input_digest: str = field(init=False, default="")  # digest of the photos; empty if they were not read
    usage: ModelUsage | None = field(init=False, default=None)
    resumed_from: str = field(init=False, default="")  # the stage of an earlier attempt
    quality: Mapping[str, str] = field(init=False, default_factory=dict)  # what is known of the result's
    parts: Parts | None = field(init=False, default=None)  # of the stage that the run makes in parts, or made last
    helped: HelpersUsage = field(init=False, default=HelpersUsage())
    meta: Meta | None = field(init=False, default=None)  # the newest report
    _begun: _Moment = field(init=False)
    _paced_from: _Moment = field(init=False)
    _ended: list[tuple[str, float]] = field(init=False, default_factory=list)
    _step: tuple[StepInfo, _Moment] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._begun = self._paced_from = self._moment()
        assignment = self.assignment
        logger.info("%s begins: model %s, task %s", assignment.job, assignment.model_type, assignment.attempt.task_id)

    def reached(self, reached: Reached, keep: bool) -> None:
        """Report progress of the run. `keep`: this report must not be skipped, such as the start of a step."""
        if self._step is None or self._step[0].index != reached.step.index:
            self._end_step(completed=True)
            self._step = reached.step, self._moment()
        if reached.resumed and not self.resumed_from:
            self.resumed_from = reached.resumed
            self._paced_from = self._moment()  # the pace of this run does not follow from the work of earlier attempts
            logger.info("%s continues after stage %s", self.assignment.job, reached.resumed)
        self.quality = fields.quality(reached.quality)
        meta = {
            "progress": reached.percent,
            "step": reached.step.name,
            "stepIndex": reached.step.index,
            "stepCount": STEP_COUNT,
            "fraction": round(reached.fraction, 4),
            "startedAt": self._paced_from.at.timestamp(),
            "at": self.now().timestamp(),
            "message": self._with_helpers(reached.message),
            "worker": self.assignment.worker,
            "attempt": self.assignment.attempt.number,
            "findings": codec.encode(self._found(self._ended)),
        }
        if self.resumed_from:
            meta["base"] = round(reached.base, 4)
        if reached.remaining_seconds is not None:
            meta["remaining"] = round(reached.remaining_seconds, 1)
        self.meta = meta
        self.sender.offer(meta, keep=keep)

    def _with_helpers(self, message: str) -> str:
        workers = self.parts.running if self.parts else 0
        return f"{message}, {workers} workers" if workers > 1 and message else message

    def read(self, inputs: Inputs) -> None:
        """Report the photos that were fetched and checked."""
        self.inputs = inputs
        report(metrics.IMAGES, inputs.images or 0, self.model)
        report(metrics.INPUT, inputs.bytes or 0, self.model)

    def shared(self, parts: Parts) -> None:
        """Note the parts of the stage that helpers and the run make; the next report of progress has them."""
        self.parts = parts

    def used(self, usage: ModelUsage) -> None:
        """Report what the model's processes used; they have ended."""
        self.usage = usage
        report(metrics.HIGHEST_MEMORY, usage.peak_bytes, self.model)

    @property
    def findings(self) -> Findings:
        """What the run has found so far, with all steps that it has begun, and those of the legs before it."""
        return self._found(self.step_seconds.items())

    def _found(self, steps: Iterable[tuple[str, float]]) -> Findings:
        used, legs = self.usage, self.assignment.envelope.orders.legs
        found = Findings(
            inputs=None if self.inputs == Inputs() else self.inputs,
            steps=_step_times(steps),
            usage=None if used is None else self._with_help(used),
            parts=self.parts,
            quality=self.quality,
            resumed_from=self.resumed_from,
        )
        return found if legs is None else found.after(legs.before)

    def _with_help(self, used: ModelUsage) -> Usage:
        return Usage(
            cpu_seconds=round(used.cpu_seconds + self.helped.cpu_seconds),
            gpu_seconds=None if used.gpu_seconds is None else round(used.gpu_seconds),
            peak_memory_bytes=used.peak_bytes,
            read_bytes=used.read_bytes + self.helped.read_bytes,
            written_bytes=used.written_bytes + self.helped.written_bytes,
        )

    @property
    def step_seconds(self) -> Mapping[str, float]:
        """The duration of each step so far, by its name."""
        current = [] if self._step is None else [(self._step[0].name, self.monotonic() - self._step[1].seconds)]
        return dict([*self._ended, *current])

    def left(self, following: Leg) -> None:
        """Report that the run has ended its leg, and that the attempt continues on another queue."""
        logger.info("%s continues on queue %s with stage %s", self.assignment.job, following.queue, following.stage)
        self._conclude("Moved", following.stage, "")

    def ended(self, end: End | None) -> None:
        """Report the end that counts; None if the attempt belongs to another run."""
        outcome = _SUPERSEDED if end is None else end.outcome.value
        reason = "" if end is None else end.reason
        error = f"{end.reason}: {end.message}" if end is not None and end.outcome is Outcome.FAILED else ""
        succeeded = end is not None and end.outcome is Outcome.SUCCEEDED
        self._end_step(completed=succeeded, error=error)
        if end is not None and succeeded and end.outputs is not None:
            report(metrics.OUTPUT, end.outputs.bytes, self.model)
        report(metrics.ATTEMPTS, 1, self.model, outcome, reason)
        seconds = self.monotonic() - self._begun.seconds
        self._log_end(outcome, reason, "" if end is None else end.message, seconds)
        self._conclude(outcome, reason, error)

    def _conclude(self, outcome: str, reason: str, error: str) -> None:
        """Emit the span of the run."""
        self._end_step(completed=False, error=error)
        now = self._moment()
        attributes = {
            "job.id": self.assignment.job.uid,
            **self._messaging,
            "worker": self.assignment.worker,
            "job.model": self.model,
            "outcome": outcome,
            "reason": reason,
        }
        self.emit(
            Span(
                tracing.WORKER,
                "attempt",
                self._ids_of(self.assignment.attempt),
                self._parent,
                self._begun.at,
                now.at,
                attributes,
                error,
                self._links,
            )
        )

    def _log_end(self, outcome: str, reason: str, message: str, seconds: float) -> None:
        why = ": ".join(part for part in (reason, message) if part)
        text = f"{outcome} after {seconds:.1f} s" + (f": {why}" if why else "")
        logger.info("%s ends: %s", self.assignment.job, text, extra={"reason": reason or outcome})

    def _end_step(self, *, completed: bool, error: str = "") -> None:
        if self._step is None:
            return
        step, begun = self._step
        now = self._moment()
        self._ended.append((step.name, now.seconds - begun.seconds))
        if completed:
            report(metrics.STEP_TIME, now.seconds - begun.seconds, self.model, step.name)
        parent = self._ids_of(self.assignment.attempt)
        self.emit(Span(tracing.WORKER, step.name, parent.child(step.index), parent, begun.at, now.at, error=error))
        self._step = None

    def _moment(self) -> _Moment:
        return _Moment(self.now(), self.monotonic())

    @property
    def _parent(self) -> SpanIds:
        """The sender's span; without one, the job's own."""
        return SpanIds.parse(self.assignment.traceparent) or tracing.of_job(self.assignment.job.uid)

    @property
    def _messaging(self) -> Mapping[str, str]:
        """The attempt as the processing of a message, by OpenTelemetry's conventions."""
        attempt = self.assignment.attempt
        names = {"messaging.destination.name": attempt.queue} if attempt.queue else {}  # a bare task has none
        return {
            "messaging.system": "redis",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.message.id": attempt.task_id,
            **names,
        }

    @property
    def _links(self) -> Sequence[SpanIds]:
        """The span of the attempt before this one."""
        attempt = self.assignment.attempt
        return () if attempt.number <= 1 else (self._ids_of(replace(attempt, number=attempt.number - 1)),)

    def _ids_of(self, attempt: AttemptRef) -> SpanIds:
        return self._parent.child("attempt", attempt.task_id)


@dataclass(frozen=True, slots=True)
class _Moment:
    """A moment on both clocks: spans need the time of day, durations need a monotonic clock."""

    at: datetime
    seconds: float


def _step_times(seconds: Iterable[tuple[str, float]]) -> tuple[StepTime, ...]:
    return tuple(StepTime(name, round(duration)) for name, duration in seconds)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
@worker_shutdown.connect  # type: ignore[untyped-decorator]
def flush_spans(**_: Any) -> None:
    """Send the remaining spans before the process ends, since the tracing thread ends with it."""
    tracing.flush(_FLUSH_SECONDS)
