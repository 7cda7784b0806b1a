"""Facts about a job and its surroundings, and the answer of a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconstruction_operator.contract.installation import Installation

from kubectl_recon.jobs.job import Condition, Job, JobEvent
from kubectl_recon.jobs.times import duration_text, seconds_between


@dataclass(frozen=True)
class Facts:
    """Input of the rules.

    `may_change`: whether the user may change the job. `options`: those that select cluster and namespace.
    """

    job: Job
    now: datetime
    installation: Installation
    events: Sequence[JobEvent] = ()
    events_refused: str = ""
    may_change: bool = True
    options: str = ""

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


@dataclass(frozen=True)
class Answer:
    """The explanation of a job's state: a sentence, details, and what to do.

    A command is the end of its action, after ": ".
    """

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
            "unknown": [text for text in (facts.installation.missing, facts.events_refused) if text],
        }  # fmt: skip
