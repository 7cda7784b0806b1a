"""Facts about a job and its surroundings, and the answer of a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconstruction_operator.contract.pools import pool_of

from kubectl_recon.installation.metrics import Queue
from kubectl_recon.installation.operator import Operator
from kubectl_recon.jobs.job import Condition, Job, JobEvent
from kubectl_recon.jobs.times import duration_text, seconds_between


@dataclass(frozen=True)
class Facts:
    """Input of the rules. `neighbours`: the other jobs that the user may see."""

    job: Job
    now: datetime
    operator: Operator
    neighbours: Sequence[Job] = ()
    neighbours_everywhere: bool = False  # whether they are of all namespaces, not of the job's
    events: Sequence[JobEvent] = ()
    events_refused: str = ""

    @property
    def queue(self) -> Queue | None:
        """The job's queue in the operator's metrics; None if it is unknown."""
        return self.operator.metrics.queue(self.job.full_queue) if self.operator.metrics else None

    def condition(self, kind: str) -> Condition:
        """Return the job's condition of that type."""
        return self.job.condition(kind)

    def reason(self, kind: str) -> str:
        """Return the reason of the job's condition of that type."""
        return self.job.condition(kind).reason

    def ago(self, when: datetime | None) -> str:
        """Return how long ago a time was, as text."""
        return duration_text(seconds_between(when, self.now))

    def seconds_since(self, when: datetime | None) -> int:
        """Return how long ago a time was; 0 if it is unknown."""
        return seconds_between(when, self.now) or 0

    @property
    def served_queues(self) -> list[str]:
        """Queues with a worker, according to the metrics or to running jobs."""
        measured = self.operator.metrics.queues if self.operator.metrics else ()
        running = {job.queue for job in self.neighbours if job.phase == "Running"}
        return sorted(running | {pool_of(queue.name) for queue in measured if queue.workers})


@dataclass(frozen=True)
class Answer:
    """The explanation of a job's state: a sentence, details, and what to do."""

    situation: str  # identifier for programs, such as queue-unserved
    text: str
    details: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    well: bool = False  # no action is needed
    more: Mapping[str, Any] = field(default_factory=dict)  # numbers for programs

    def document(self, facts: Facts) -> dict[str, Any]:
        """Return the answer as data, for JSON and YAML."""
        job = facts.job
        return {
            "job": job.name,
            "namespace": job.namespace,
            "phase": job.phase,
            "situation": self.situation,
            "well": self.well,
            "answer": self.text,
            "details": list(self.details),
            "actions": list(self.actions),
            "numbers": dict(self.more),
            "unknown": [text for text in (facts.operator.lease_refused, facts.operator.metrics_refused, facts.events_refused) if text],
        }  # fmt: skip
