"""Status: what the operator reports. Users read `phase`, programs read the conditions.

The CRD is made from the metadata of the fields. `fitting.fit` truncates a status to the limits before it is written.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconstruction_operator.api.attempt_status import Inputs, Leg, Parts, Progress, StepTime, Usage
from reconstruction_operator.api.identity import MAX_ATTEMPT
from reconstruction_operator.api.notification import Notification, unsent
from reconstruction_operator.api.shapes import member, shape
from reconstruction_operator.api.verdict import Verdict

MAX_QUALITY: Final = 24  # values of a status's quality


class Phase(enum.StrEnum):
    """The state of a job in one word."""

    PENDING = "Pending"  # not dispatched
    QUEUED = "Queued"  # dispatched; no worker has started it
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    CANCELLING = "Cancelling"  # the cancel is confirmed; the job may still run
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def finished(self) -> bool:
        """Whether the job is finished. A finished phase never changes."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


class ConditionType(enum.StrEnum):
    """The types of conditions, the most important for people first.

    All but InputChecked and Contested are always present.
    """

    CONTESTED = "Contested"  # only while two installations watch the job's namespace
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    COMPLETE = "Complete"
    CANCEL_REQUESTED = "CancelRequested"
    SUSPENDED = "Suspended"
    RUNNING = "Running"
    DISPATCHED = "Dispatched"
    ACCEPTED = "Accepted"
    INPUT_CHECKED = "InputChecked"  # only if the job waits long enough for a preflight
    FINISHED = "Finished"
    STALLED = "Stalled"
    RECONCILING = "Reconciling"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as metav1.Condition."""

    type: str = field(metadata=shape("Name of the condition.", required=True, max_length=64))
    status: str = field(
        metadata=shape("Whether the condition is true.", required=True, choices=("True", "False", "Unknown"))
    )
    reason: str = field(metadata=shape("Reason in one word, for programs.", required=True, max_length=128))
    message: str = member("", "Reason in a sentence.", max_length=4096)
    last_transition_time: datetime | None = member(None, "When the condition's status last changed.", required=True)
    observed_generation: int | None = member(
        None, "The metadata.generation that the condition was made from.", minimum=0
    )


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file of the output."""

    name: str = member("", "Path below outputs.uri, such as model.glb.", max_length=256)
    bytes: int = member(0, "Size of the file.", unit="bytes", minimum=0)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The result."""

    uri: str = member("", "Where the result is.", max_length=2048)
    bytes: int = member(0, "Size of all files together.", unit="bytes", minimum=0)
    files: tuple[OutputFile, ...] = member((), "The most important files, 16 at most.", max_items=16)


@dataclass(frozen=True, slots=True)
class ReusedFrom:
    """The earlier job whose result this job has taken over."""

    uid: str = member(
        "", "metadata.uid of the earlier job, which had the namespace and name of this job.", max_length=128
    )
    attempt: int | None = member(None, "Number of the attempt that made the result.", minimum=1)
    completion_time: datetime | None = member(None, "When the result was complete.")


@dataclass(frozen=True, slots=True)
class Cancel:
    """When each step of a cancel was seen."""

    requested_at: datetime | None = member(None, "When the operator saw spec.cancelRequested.")
    confirmed_at: datetime | None = member(None, "When the operator saw spec.cancelConfirmed.")
    acknowledged_at: datetime | None = member(None, "When the job no longer ran.")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the job, or its last attempt, failed."""

    reason: str = member("", "One of the documented reasons, such as NOT_ENOUGH_OVERLAP.", max_length=64)
    message: str = member("", "What happened, with its numbers, and what you can do.", max_length=4096)
    retriable: bool = member(False, "Whether another attempt might have ended differently.")


@dataclass(frozen=True, slots=True)
class InstallationMark:
    """The installation of the operator that manages the job. All others ignore it."""

    id: str = member("", "Install id under which Redis holds the job.", max_length=256)
    lease: str = member("", "Lease of the operator that manages the job, as namespace/name.", max_length=512)


@dataclass(frozen=True, slots=True)
class Status:
    """The status. Empty until the operator has seen the job."""

    observed_generation: int = member(
        -1,
        "The metadata.generation that this status was made from; -1 until the operator has seen the job.",
        stored_default=True,
        minimum=-1,
    )
    phase: Phase | None = member(
        None,
        "State of the job for users: Pending, Queued, Running, Suspended, Cancelling, and at the end Succeeded, "
        "Failed or Cancelled, which never change. Programs should read the conditions.",
    )
    phase_detail: str = member(
        "",
        "For people, shown in place of the phase where a requested cancel, a suspension in progress or "
        "the verdict on a "
        "result changes its meaning, such as Succeeded, warning.",
        max_length=64,
    )
    time_detail: str = member(
        "",
        "For people: the time left, or the time that a finished job took, such as 1m20s left or took 12m.",
        max_length=32,
    )
    reason: str = member(
        "",
        "Why the job failed or waits, in a word or two for people, such as TOO_FEW_IMAGES, no worker "
        "or place 20. Programs "
        "should read failure.reason and the conditions.",
        max_length=64,
    )
    attempt: int = member(
        0, "Number of the current attempt, from 1; 0 before the first. Never decreases.", minimum=0, maximum=MAX_ATTEMPT
    )
    failures: int = member(0, "Failed attempts that count against spec.backoffLimit.", unit="attempts", minimum=0)
    next_attempt_time: datetime | None = member(None, "When the next attempt may start, during a backoff.")
    task_id: str | None = member(None, "Celery task id of the current attempt.", max_length=256)
    worker: str | None = member(
        None,
        "Name of the worker that runs the current attempt, or ran the last one.",
        absent="none has begun it, or its leg waits for a worker",
        max_length=256,
    )
    leg: Leg | None = member(
        None,
        "The current leg of the attempt, if spec.stageQueues has moved it to other workers. Once it has begun, "
        "worker names its worker.",
        absent="the attempt's first leg, on spec.queue",
    )
    simulated: bool | None = member(None, "True: the result is a simulation, not made from the photos.")
    verdict: Verdict | None = member(
        None,
        "What to think of the job; message is the sentence to it. Warning: a poor result, or an unfinished "
        "job that is held up.",
        absent="unfinished and well",
    )
    message: str = member("", "State of the job in a sentence.", max_length=4096)
    dispatch_time: datetime | None = member(None, "When the current attempt was sent to its queue.")
    start_time: datetime | None = member(
        None, "When the first attempt since the job's creation or its last suspension started."
    )
    completion_time: datetime | None = member(None, "When the job ended, whatever its outcome.")
    progress: Progress | None = member(None, "Progress of the current attempt.")
    steps: tuple[StepTime, ...] = member(
        (),
        "The finished steps of the current attempt and how long they took, over all its legs; after its end, and after "
        "each leg, all steps that it began.",
        max_items=16,
    )
    usage: Usage | None = member(
        None, "What the current attempt used in all its legs, after its end or that of a leg.", absent="not measured"
    )
    parts: Parts | None = member(
        None, "The parts of the stage that several workers make, or made last.", absent="no stage is divided"
    )
    inputs: Inputs | None = member(None, "The photos that were read.")
    outputs: Outputs | None = member(None, "The result. A failed job has one if only the copy to spec.output failed.")
    reused_from: ReusedFrom | None = member(
        None, "The earlier job whose result this job has taken over; absent if this job ran. See spec.reuse."
    )
    quality: Mapping[str, str] = member(
        dict,
        f"A few numbers about the result, as text, such as faces; {MAX_QUALITY} at most. registered and leftOut, of "
        "photos, appear while the job runs.",
        max_properties=MAX_QUALITY,
        max_length=128,
    )
    warning: str = member(
        "",
        "Why the result of a successful job is worse than it should be, with numbers.",
        max_length=2048,
    )
    size: str = member(
        "",
        "Width, height and depth of the mesh, such as 1.2 x 0.8 x 0.4 m.",
        absent="its scale is unknown: no markers of known size and no GPS positions",
        max_length=128,
    )
    installation: InstallationMark | None = member(
        None, "The installation of the operator that manages the job; all others ignore it."
    )
    redis_losses: int | None = member(
        None,
        "Consecutive attempts that Redis lost; from the third on, the next attempt waits.",
        unit="attempts",
        minimum=0,
    )
    cancel: Cancel | None = member(None, "When each step of a cancel was seen.")
    failure: Failure | None = member(None, "Why the job failed or, if it is not finished, why its last attempt failed.")
    notifications: tuple[Notification, ...] = member(
        (),
        "Events that are sent to the namespace's address for notifications, in order; those of earlier attempts leave "
        "once they are sent.",
        absent="none, or the namespace has no address",
        max_items=16,
    )
    conditions: tuple[Condition, ...] = member(
        (),
        "For programs and kubectl wait: Failed, Cancelled, Complete, CancelRequested, "
        "Suspended, Running, Dispatched, Accepted, "
        "Finished (true for every outcome, which is its reason), Stalled, Reconciling; InputChecked of a job that "
        "waits; and Contested "
        "while two installations of the operator watch the job's namespace. First those that are true, or that show "
        "what a job waits for.",
        max_items=32,
        list_key="type",
    )

    @property
    def begun(self) -> bool:
        """Whether a worker has begun the current attempt."""
        return self.worker is not None or self.leg is not None

    @property
    def why_failed(self) -> str:
        """The failure's message; empty without a failure."""
        return self.failure.message if self.failure else ""

    @property
    def unsent(self) -> tuple[Notification, ...]:
        """The notifications that are not delivered yet."""
        return unsent(self.notifications)

    def condition(self, kind: ConditionType) -> Condition | None:
        """Return the condition of that type; None if it is absent."""
        for condition in self.conditions:
            if condition.type == kind:
                return condition
        return None
