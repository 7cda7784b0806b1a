"""ReconstructionJob and its Events, read from their JSON.

A field that the CRD's version does not have is empty, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

from reconstruction_operator.api.figures import parts_in_words
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase
from reconstruction_operator.api.verdict import verdict_in
from reconstruction_operator.contract.pools import queue_name
from reconstruction_operator.transfer.names import printable

from kubectl_recon.errors import ReconError
from kubectl_recon.jobs.times import parse_time

FINISHED: Final = tuple(phase.value for phase in Phase if phase.finished)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # as the API server requires
_DEFAULTS: Final = Spec()  # which the operator sets, and not the API server

T = TypeVar("T")


def label(key: tuple[str, str], *, everywhere: bool) -> str:
    """Return the name that the user has to enter; with -A after the namespace."""
    return "/".join(key) if everywhere else key[1]


@dataclass(frozen=True)
class Condition:
    """A condition of the status. `since`: the time of the last change of its status."""

    type: str
    status: str = ""  # "True" | "False" | "Unknown"; empty if the status has no such condition
    reason: str = ""
    message: str = ""
    since: datetime | None = None

    @property
    def is_true(self) -> bool:
        """Whether the status is True."""
        return self.status == "True"


class _Field(Generic[T]):
    """A property of a job: the value at a path in its object.

    `convert` also makes the value for a missing field, from None.
    """

    def __init__(self, convert: Callable[[Any], T], *path: str) -> None:
        self._convert, self._path = convert, path

    def __get__(self, job: Job, _: type[Job] | None = None) -> T:
        value: Any = job.raw
        for name in self._path:
            value = _mapping(value).get(name)
        return self._convert(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return str(value or "")


def _name(value: object) -> str:
    """Return the name, which becomes the name of a folder.

    Raises ReconError for a path: the server need not be trusted.
    """
    if not _NAME.fullmatch(name := _text(value)):
        raise ReconError(f"the API server sent a job with an invalid name: {name!a:.100}")
    return name


def _number(value: Any) -> int:
    return int(value or 0)


@dataclass(frozen=True)
class Job:
    """A job. `raw`: the object as the API server sent it. Fields that it lacks are empty: "", 0, False, {} or None."""

    raw: Mapping[str, Any]

    spec = _Field(_mapping, "spec")
    status = _Field(_mapping, "status")
    metadata = _Field(_mapping, "metadata")
    name = _Field(_name, "metadata", "name")  # unique in the namespace
    namespace = _Field(_text, "metadata", "namespace")  # decides who may see the job
    uid = _Field(_text, "metadata", "uid")  # also the name of the job's folder on the workers' volume
    created = _Field(parse_time, "metadata", "creationTimestamp")
    model = _Field(lambda value: str(value or _DEFAULTS.model_type), "spec", "modelType")
    queue = _Field(lambda value: str(value or _DEFAULTS.queue), "spec", "queue")  # without the priority
    priority = _Field(lambda value: str(value or _DEFAULTS.priority), "spec", "priority")  # low, normal or high
    suspended = _Field(bool, "spec", "suspend")  # whether a suspension is requested
    cancel_requested = _Field(bool, "spec", "cancelRequested")  # step one
    cancel_confirmed = _Field(bool, "spec", "cancelConfirmed")  # step two
    phase = _Field(_text, "status", "phase")  # empty until the operator has seen the job
    message = _Field(_text, "status", "message")  # the operator's, about the state
    progress = _Field(_mapping, "status", "progress")  # the last report of the worker
    percent = _Field(_number, "status", "progress", "percent")
    attempt = _Field(_number, "status", "attempt")  # from 1; 0 before the first
    failures = _Field(_number, "status", "failures")  # failed attempts that count
    worker = _Field(_text, "status", "worker")  # of the current or the last attempt
    parts = _Field(lambda value: parts_in_words(_mapping(value)), "status", "parts")  # made by several workers
    leg_queue = _Field(_text, "status", "leg", "queue")  # of a leg after the first; with its priority
    failure_reason = _Field(_text, "status", "failure", "reason")  # of the job or its last attempt: TOO_FEW_IMAGES
    failure_message = _Field(_text, "status", "failure", "message")
    output_uri = _Field(_text, "status", "outputs", "uri")  # the address of the result
    lease = _Field(_text, "status", "installation", "lease")  # of the operator that manages the job: namespace/name
    verdict = _Field(lambda value: verdict_in(_mapping(value)), "status")  # empty while the job is unfinished and well
    phase_detail = _Field(
        _text, "status", "phaseDetail"
    )  # the phase with what changes its meaning; empty if nothing does

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name, which identify the job in the cluster."""
        return self.namespace, self.name

    @property
    def finished(self) -> bool:
        """Whether the job has succeeded, failed or been cancelled."""
        return self.phase in FINISHED

    @property
    def current(self) -> bool:
        """Whether the status belongs to the newest spec."""
        return bool(self.status.get("observedGeneration", -1) == self.metadata.get("generation", 0))

    @property
    def full_queue(self) -> str:
        """The Celery queue of its messages, with its priority: that of the current leg, or else its own."""
        return self.leg_queue or queue_name(self.queue, self.priority)

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
        seconds = self.progress.get("etaSeconds")
        return None if seconds is None or self.phase != "Running" else int(seconds)

    def time(self, field: str) -> datetime | None:
        """Return a time of the status: startTime, completionTime, dispatchTime, nextAttemptTime."""
        return parse_time(self.status.get(field))

    @cached_property
    def conditions(self) -> Mapping[str, Condition]:
        """The conditions by type."""
        conditions = {}
        for entry in self.status.get("conditions") or []:
            kind, status, reason, message = (str(entry.get(k, "")) for k in ("type", "status", "reason", "message"))
            conditions[kind] = Condition(kind, status, reason, message, parse_time(entry.get("lastTransitionTime")))
        return conditions

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
            printable(str(body.get("reason", ""))),  # whoever may create Events chooses it
            printable(" ".join(str(body.get("message") or "").split())),
            parse_time(when),
        )
