"""ReconstructionJob and its Events, read from their JSON. A field that the CRD's version does not have is empty, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase
from reconstruction_operator.contract.pools import queue_name

from kubectl_recon.jobs.times import parse_time

FINISHED: Final = tuple(phase.value for phase in Phase if phase.finished)
_DEFAULTS: Final = Spec()  # which the operator sets, and not the API server


def label(key: tuple[str, str], *, everywhere: bool) -> str:
    """Return the name that the user has to enter; with -A after the namespace."""
    return "/".join(key) if everywhere else key[1]


@dataclass(frozen=True)
class Condition:
    """A condition of the status. `changed`: its lastTransitionTime, not parsed."""

    type: str
    status: str = ""  # "True" | "False" | "Unknown"; empty if the status has no such condition
    reason: str = ""
    message: str = ""
    changed: object = None

    @property
    def is_true(self) -> bool:
        """Whether the status is True."""
        return self.status == "True"

    @property
    def since(self) -> datetime | None:
        """The time of the last change of its status."""
        return parse_time(self.changed)


@dataclass(frozen=True)
class Job:
    """A job. `raw`: the object as the API server sent it."""

    raw: Mapping[str, Any]

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """The spec; empty if it is missing or not an object."""
        return _mapping(self.raw.get("spec"))

    @cached_property
    def status(self) -> Mapping[str, Any]:
        """The status; empty if it is missing or not an object."""
        return _mapping(self.raw.get("status"))

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata; empty if it is missing or not an object."""
        return _mapping(self.raw.get("metadata"))

    @property
    def name(self) -> str:
        """The name; unique in the namespace."""
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """The namespace, which decides who may see the job."""
        return str(self.metadata.get("namespace", ""))

    @property
    def uid(self) -> str:
        """The uid, which is also the name of the job's folder on the workers' volume."""
        return str(self.metadata.get("uid", ""))

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name, which identify the job in the cluster."""
        return self.namespace, self.name

    @property
    def phase(self) -> str:
        """The phase; empty until the operator has seen the job."""
        return str(self.status.get("phase", ""))

    @property
    def finished(self) -> bool:
        """Whether the job has succeeded, failed or been cancelled."""
        return self.phase in FINISHED

    @property
    def seen(self) -> bool:
        """Whether the operator has seen the job."""
        return bool(self.phase)

    @property
    def current(self) -> bool:
        """Whether the status belongs to the newest spec."""
        return bool(self.status.get("observedGeneration", -1) == self.metadata.get("generation", 0))

    @property
    def message(self) -> str:
        """The operator's message about the state."""
        return str(self.status.get("message", ""))

    @property
    def model(self) -> str:
        """The model, by default photogrammetry."""
        return str(self.spec.get("modelType") or _DEFAULTS.model_type)

    @property
    def queue(self) -> str:
        """The Celery queue without its priority."""
        return str(self.spec.get("queue") or _DEFAULTS.queue)

    @property
    def priority(self) -> str:
        """The priority: low, normal or high."""
        return str(self.spec.get("priority") or _DEFAULTS.priority)

    @property
    def full_queue(self) -> str:
        """The Celery queue with its priority, as metrics and messages name it."""
        return queue_name(self.queue, self.priority)

    @property
    def progress(self) -> Mapping[str, Any]:
        """The last report of the worker; empty before the first."""
        return _mapping(self.status.get("progress"))

    @property
    def percent(self) -> int:
        """The progress in percent; 0 before the first report."""
        return int(self.progress.get("percent") or 0)

    @property
    def done(self) -> str:
        """The progress as text: "43.7%"."""
        return str(self.progress.get("display") or f"{self.percent}%")

    @property
    def step(self) -> str:
        """The name of the current step; empty for a job that does not run."""
        return "" if self.finished else str(self.progress.get("step") or "")

    @property
    def eta_seconds(self) -> int | None:
        """The estimated time left; None if it is unknown."""
        found = self.progress.get("etaSeconds")
        return None if found is None or self.phase != "Running" else int(found)

    @property
    def attempt(self) -> int:
        """The number of the attempt, from 1; 0 before the first."""
        return int(self.status.get("attempt") or 0)

    @property
    def failures(self) -> int:
        """The number of failed attempts that count."""
        return int(self.status.get("failures") or 0)

    @property
    def worker(self) -> str:
        """The worker of the current or the last attempt."""
        return str(self.status.get("worker") or "")

    @property
    def failure_reason(self) -> str:
        """Why the job or its last attempt failed, such as TOO_FEW_IMAGES; empty without a failure."""
        return str(_mapping(self.status.get("failure")).get("reason") or "")

    @property
    def failure_message(self) -> str:
        """The message of the failure."""
        return str(_mapping(self.status.get("failure")).get("message") or "")

    @property
    def output_uri(self) -> str:
        """The address of the result; empty without one."""
        return str(_mapping(self.status.get("outputs")).get("uri") or "")

    @property
    def simulated(self) -> bool:
        """Whether the result is a simulation."""
        return bool(self.status.get("simulated"))

    @property
    def warning(self) -> str:
        """Why the result is of poor quality; empty for a good one."""
        return str(self.status.get("warning") or "")

    @property
    def suspended(self) -> bool:
        """Whether the spec requests a suspension."""
        return bool(self.spec.get("suspend"))

    @property
    def cancel_requested(self) -> bool:
        """Whether a cancel is requested (step one)."""
        return bool(self.spec.get("cancelRequested"))

    @property
    def cancel_confirmed(self) -> bool:
        """Whether a cancel is confirmed (step two)."""
        return bool(self.spec.get("cancelConfirmed"))

    @property
    def created(self) -> datetime | None:
        """The time of creation."""
        return parse_time(self.metadata.get("creationTimestamp"))

    def time(self, field: str) -> datetime | None:
        """Return a time of the status: startTime, completionTime, dispatchTime, nextAttemptTime."""
        return parse_time(self.status.get(field))

    @cached_property
    def conditions(self) -> Mapping[str, Condition]:
        """The conditions by type."""
        return {
            str(one.get("type")): Condition(
                str(one.get("type")),
                str(one.get("status", "")),
                str(one.get("reason", "")),
                str(one.get("message", "")),
                one.get("lastTransitionTime"),
            )
            for one in self.status.get("conditions") or []
        }

    def condition(self, kind: str) -> Condition:
        """Return the condition of that type; with an empty status if the job has none."""
        return self.conditions.get(kind) or Condition(kind)


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An Event about a job."""

    job: tuple[str, str]  # namespace and name
    kind: str  # Normal | Warning
    reason: str
    text: str
    when: datetime | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> JobEvent:
        """Parse an Event of the core API."""
        about = body.get("involvedObject", {})
        when = body.get("lastTimestamp") or body.get("eventTime") or body["metadata"].get("creationTimestamp")
        return cls(
            (str(about.get("namespace", "")), str(about.get("name", ""))),
            str(body.get("type", "")),
            str(body.get("reason", "")),
            " ".join(str(body.get("message") or "").split()),
            parse_time(when),
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
