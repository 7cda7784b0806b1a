"""Assignment: what a message asks a worker to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.contract.attempt import Legs
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.pools import pool_of


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt of a job, as a worker got it."""

    envelope: Envelope
    model_type: str
    worker: str
    traceparent: str = ""  # the sender's span, as W3C Trace Context

    @property
    def attempt(self) -> AttemptRef:
        """The attempt."""
        return self.envelope.attempt

    @property
    def job(self) -> JobRef:
        """The job, whose text is its name in logs: default/banana; of a bare task its id."""
        return self.envelope.attempt.job

    @property
    def leg(self) -> Leg | None:
        """The leg of the attempt; None: its first."""
        legs = self.envelope.orders.legs
        return None if legs is None or not legs.number else Leg(legs.number, self.attempt.queue, legs.stage)

    def next_leg(self, stage: str) -> Leg:
        """Return the leg after this one, which begins with a stage for another queue."""
        legs = self.envelope.orders.legs or Legs()
        queue = legs.queues.get(stage, legs.home)
        suffix = self.attempt.queue.removeprefix(pool_of(self.attempt.queue))
        return Leg(legs.number + 1, queue + suffix, stage)

    @property
    def log_fields(self) -> Mapping[str, object]:
        """The fields of each log line about the attempt."""
        attempt, job = self.attempt, self.job
        if attempt.is_bare:
            return {"job_id": job.uid, "task_id": attempt.task_id}
        return {"namespace": job.namespace, "job": job.name, "uid": job.uid, "attempt": attempt.number}
