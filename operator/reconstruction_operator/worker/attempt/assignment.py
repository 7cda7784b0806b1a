"""Assignment: what a message asks a worker to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.contract.attempt import Orders
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.records import Owner

BARE: Final = Envelope(attempt=0, queue="", orders=Orders(last=True))
"""The envelope of a bare task, from `delay()` or a direct call: the photos are in the job's folder, and no object owns
it.
"""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt of a job."""

    job_id: str
    task_id: str
    model_type: str
    envelope: Envelope
    worker: str
    traceparent: str = ""  # the sender's span, as W3C Trace Context

    @property
    def is_bare(self) -> bool:
        """Whether the task is bare."""
        return not self.envelope.attempt

    @property
    def attempt(self) -> int | None:
        """The attempt's number, from 1; None for a bare task."""
        return self.envelope.attempt or None

    @property
    def title(self) -> str:
        """The job's name in logs: default/banana; for a bare task its id."""
        return self.job_id if self.is_bare else f"{self.envelope.namespace}/{self.envelope.name}"

    @property
    def log_fields(self) -> Mapping[str, object]:
        """The fields of each log line about the attempt."""
        envelope = self.envelope
        if self.is_bare:
            return {"job_id": self.job_id, "task_id": self.task_id}
        return {"namespace": envelope.namespace, "job": envelope.name, "uid": self.job_id, "attempt": envelope.attempt}

    @property
    def owner(self) -> Owner | None:
        """The job's object, which owns the job folder; None for a bare task."""
        return None if self.is_bare else Owner.of(self.job_id, self.envelope)
