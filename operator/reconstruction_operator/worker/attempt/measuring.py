"""What the metrics learn from one attempt: its steps, photos, bytes, memory and end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reconstruction_operator.api.status import Inputs
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import StepInfo
from reconstruction_operator.telemetry import worker_metrics as metrics
from reconstruction_operator.telemetry.relay import report

_OVERTAKEN = "Overtaken"  # the attempt became somebody else's: it has no outcome of its own


@dataclass
class Measures:
    """Of one attempt. `model` is a model that is installed, or empty until one was chosen: never what a job says."""

    model: str = ""
    monotonic: Callable[[], float] = time.monotonic
    _begun_at: float = field(init=False)
    _step: StepInfo | None = field(init=False, default=None)
    _step_begun_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._begun_at = self.monotonic()

    def reached(self, step: StepInfo) -> None:
        """It is in that step: the one before is complete."""
        if self._step is not None and self._step.index == step.index:
            return
        self._complete()
        self._step, self._step_begun_at = step, self.monotonic()

    def read(self, inputs: Inputs) -> None:
        """Its photos were read and checked."""
        report(metrics.IMAGES, inputs.images or 0, self.model)
        report(metrics.INPUT, inputs.bytes or 0, self.model)

    def used(self, peak_bytes: int) -> None:
        """The model's processes are gone; so much memory they had at most."""
        report(metrics.PEAK_MEMORY, peak_bytes, self.model)
        report(metrics.HIGHEST_MEMORY, peak_bytes, self.model)

    def ended(self, end: End | None) -> None:
        """It is over: with the end that counts, or None."""
        outcome = _OVERTAKEN if end is None else end.outcome.value
        if end is not None and end.outcome is Outcome.SUCCEEDED:
            self._complete()
            if end.outputs is not None:
                report(metrics.OUTPUT, end.outputs.bytes, self.model)
        report(metrics.ATTEMPTS, 1, self.model, outcome, "" if end is None else end.reason)
        report(metrics.ATTEMPT_TIME, self.monotonic() - self._begun_at, self.model, outcome)

    def _complete(self) -> None:
        if self._step is not None:
            report(metrics.STEP_TIME, self.monotonic() - self._step_begun_at, self.model, self._step.name)
        self._step = None


def heartbeat_failed() -> None:
    """Redis did not answer a heartbeat."""
    report(metrics.HEARTBEAT_FAILURES, 1)
