"""Assignment: what a message asks a worker to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconstruction_operator.api import spec
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.records import Owner


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt of a job. A bare task, from `delay()` or a direct call, has no envelope."""

    job_id: str
    task_id: str
    model_type: str
    envelope: Envelope | None
    worker: str
    traceparent: str = ""  # the sender's span, as W3C Trace Context

    @property
    def attempt(self) -> int | None:
        """The attempt's number, from 1; None for a bare task."""
        return None if self.envelope is None else self.envelope.attempt

    @property
    def parameters(self) -> Mapping[str, object]:
        """The job's parameters for its model, not yet checked."""
        return {} if self.envelope is None else self.envelope.parameters

    @property
    def output_uri(self) -> str:
        """The URI to which a copy of the result is delivered; empty: none."""
        return "" if self.envelope is None else self.envelope.output_uri

    @property
    def input_uri(self) -> str:
        """The URI of the photos; empty for a bare task, whose job folder has them."""
        return "" if self.envelope is None else self.envelope.input_uri

    @property
    def reuse(self) -> str:
        """Whether the job may take over a result of an earlier job, as in `spec.reuse`; empty: never."""
        return "" if self.envelope is None else self.envelope.reuse

    @property
    def takes_over(self) -> bool:
        """Whether the job takes over a result and never runs."""
        return self.reuse == spec.REQUIRED

    @property
    def retain_seconds(self) -> int:
        """How long the result stays in the trash after the job's object is deleted."""
        return 0 if self.envelope is None else self.envelope.retain_seconds

    @property
    def namespace(self) -> str:
        """The namespace of the job's object; empty for a bare task."""
        return "" if self.envelope is None else self.envelope.namespace

    @property
    def pool(self) -> str:
        """The pool that the message was sent to; empty for a bare task."""
        return "" if self.envelope is None else self.envelope.queue

    @property
    def title(self) -> str:
        """The job's name in logs: default/banana; for a bare task its id."""
        return self.job_id if self.envelope is None else f"{self.envelope.namespace}/{self.envelope.name}"

    @property
    def log_fields(self) -> Mapping[str, object]:
        """The fields of each log line about the attempt."""
        envelope = self.envelope
        if envelope is None:
            return {"job_id": self.job_id, "task_id": self.task_id}
        return {"namespace": envelope.namespace, "job": envelope.name, "uid": self.job_id, "attempt": envelope.attempt}

    @property
    def owner(self) -> Owner | None:
        """The job's object, which owns the job folder; None for a bare task."""
        return None if self.envelope is None else Owner.of(self.job_id, self.envelope)
