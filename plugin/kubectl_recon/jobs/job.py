"""One ReconstructionJob, read from its JSON. Fields of a newer or older CRD are absent, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from kubectl_recon.jobs.times import parse_time

FINISHED: Final = ("Succeeded", "Failed", "Cancelled")
SPEC_DEFAULTS: Final[Mapping[str, str]] = {"modelType": "photogrammetry", "queue": "celery", "priority": "normal"}
"""Defaults of the spec that the API server leaves to the operator."""

MANAGED_BY: Final = "reconstruction.dev/operator"


def label(key: tuple[str, str], *, everywhere: bool) -> str:
    """Namespace and name, as the user has to name the job: with -A by both."""
    return "/".join(key) if everywhere else key[1]


@dataclass(frozen=True)
class Condition:
    """One condition of the status. `changed`: its lastTransitionTime as it is there."""

    type: str
    status: str = ""  # "True" | "False" | "Unknown"; empty if the status has no such condition
    reason: str = ""
    message: str = ""
    changed: object = None

    @property
    def is_true(self) -> bool:
        """Whether it holds."""
        return self.status == "True"

    @property
    def since(self) -> datetime | None:
        """Since when it has its status."""
        return parse_time(self.changed)


@dataclass(frozen=True)
class Job:
    """One job. `raw` is the object as the API server sent it."""

    raw: Mapping[str, Any]

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """`.spec`."""
        return _mapping(self.raw.get("spec"))

    @cached_property
    def status(self) -> Mapping[str, Any]:
        """`.status`."""
        return _mapping(self.raw.get("status"))

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """`.metadata`."""
        return _mapping(self.raw.get("metadata"))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.metadata.get("namespace", ""))

    @property
    def uid(self) -> str:
        """Its uid, which names its folder on the workers' volume."""
        return str(self.metadata.get("uid", ""))

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def phase(self) -> str:
        """The phase; empty until the operator has seen the job."""
        return str(self.status.get("phase", ""))

    @property
    def finished(self) -> bool:
        """Whether it is over."""
        return self.phase in FINISHED

    @property
    def seen(self) -> bool:
        """Whether the operator has seen the job."""
        return bool(self.phase)

    @property
    def current(self) -> bool:
        """Whether the status is made from the newest spec."""
        return bool(self.status.get("observedGeneration", -1) == self.metadata.get("generation", 0))

    @property
    def message(self) -> str:
        """The state in a sentence, by the operator."""
        return str(self.status.get("message", ""))

    @property
    def model(self) -> str:
        """The model, as written or by default."""
        return str(self.spec.get("modelType") or SPEC_DEFAULTS["modelType"])

    @property
    def queue(self) -> str:
        """The Celery queue without its priority."""
        return str(self.spec.get("queue") or SPEC_DEFAULTS["queue"])

    @property
    def priority(self) -> str:
        """low, normal or high."""
        return str(self.spec.get("priority") or SPEC_DEFAULTS["priority"])

    @property
    def full_queue(self) -> str:
        """The Celery queue with its priority, as metrics and messages name it."""
        return self.queue if self.priority == "normal" else f"{self.queue}-{self.priority}"

    @property
    def progress(self) -> Mapping[str, Any]:
        """`.status.progress`."""
        return _mapping(self.status.get("progress"))

    @property
    def percent(self) -> int:
        """How much is done; 0 before the first report."""
        return int(self.progress.get("percent") or 0)

    @property
    def done(self) -> str:
        """How much is done, as text: "43.7%"."""
        return str(self.progress.get("display") or f"{self.percent}%")

    @property
    def step(self) -> str:
        """The name of the current step; empty for a job that does not run."""
        return "" if self.finished else str(self.progress.get("step") or "")

    @property
    def eta_seconds(self) -> int | None:
        """Estimated time left; None where it is not known."""
        found = self.progress.get("etaSeconds")
        return None if found is None or self.phase != "Running" else int(found)

    @property
    def attempt(self) -> int:
        """The number of the attempt, from 1; 0 before the first."""
        return int(self.status.get("attempt") or 0)

    @property
    def failures(self) -> int:
        """Failed attempts that count."""
        return int(self.status.get("failures") or 0)

    @property
    def worker(self) -> str:
        """The worker that has the attempt, or had the last."""
        return str(self.status.get("worker") or "")

    @property
    def failure_reason(self) -> str:
        """Why the job or its last attempt failed, such as TOO_FEW_IMAGES; empty without a failure."""
        return str(_mapping(self.status.get("failure")).get("reason") or "")

    @property
    def failure_message(self) -> str:
        """The failure in a sentence."""
        return str(_mapping(self.status.get("failure")).get("message") or "")

    @property
    def output_uri(self) -> str:
        """Where the result is; empty without one."""
        return str(_mapping(self.status.get("outputs")).get("uri") or "")

    @property
    def simulated(self) -> bool:
        """Whether the result is no real one."""
        return bool(self.status.get("simulated"))

    @property
    def warning(self) -> str:
        """What is worse about its result than it should be; empty for a good one."""
        return str(self.status.get("warning") or "")

    @property
    def suspended(self) -> bool:
        """Whether its spec asks for a suspension."""
        return bool(self.spec.get("suspend"))

    @property
    def cancel_requested(self) -> bool:
        """Whether step one of a cancel is stored."""
        return bool(self.spec.get("cancelRequested"))

    @property
    def cancel_confirmed(self) -> bool:
        """Whether step two of a cancel is stored."""
        return bool(self.spec.get("cancelConfirmed"))

    @property
    def created(self) -> datetime | None:
        """When the object was created."""
        return parse_time(self.metadata.get("creationTimestamp"))

    def time(self, field: str) -> datetime | None:
        """A time of the status: startTime, completionTime, dispatchTime, nextAttemptTime."""
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
        """The condition of that type; one with an empty status where there is none."""
        return self.conditions.get(kind) or Condition(kind)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
