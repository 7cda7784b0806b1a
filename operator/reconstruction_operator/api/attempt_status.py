"""What a status says about the job's current attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from reconstruction_operator.api.shapes import member, shape


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the current attempt.

    `display` is a column of `kubectl get recon`: "43.7%" (`display.percent_text`). Without a run there is no step and
    no `eta`.
    """

    percent: int = member(0, "How much is done, over all six steps.", unit="percent", minimum=0, maximum=100)
    step: str = member(
        "",
        "Name of the current step, such as Running reconstruction; empty if the job does not run.",
        max_length=128,
    )
    step_index: int = member(0, "Number of the current step, from 1; 0 before the first.", minimum=0, maximum=1000)
    step_count: int = member(6, "Number of steps.", minimum=0, maximum=1000)
    eta_seconds: int | None = member(
        None,
        "Estimated time left, as the model estimates it or from the pace so far.",
        unit="seconds",
        absent="unknown",
        minimum=0,
    )
    eta: str = member("", "etaSeconds as text, such as 1m20s.", max_length=32)
    display: str = member("", "How much is done, in tenths of a percent, such as 43.7%.", max_length=64)
    last_update_time: datetime | None = member(None, "When the worker reported this.")
    resumed_from: str = member(
        "",
        "Stage of an earlier attempt or another job from which this attempt continues, such as matches of attempt 1; "
        "empty if it began anew.",
        max_length=128,
    )


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step of the current attempt."""

    name: str = field(
        metadata=shape("Name of the step, such as Running reconstruction.", required=True, max_length=128)
    )
    seconds: int = member(0, "How long the step took, or ran until it was interrupted.", unit="seconds", minimum=0)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the current attempt used. Only models with a process of their own are measured."""

    cpu_seconds: int | None = member(
        None, "Processor time of the model's processes, of all cores together.", unit="seconds", minimum=0
    )
    gpu_seconds: int | None = member(
        None,
        "How long the model's processes held the GPUs of their worker, times the number of GPUs; without helpers.",
        unit="seconds",
        minimum=0,
        absent="the worker has no NVIDIA GPU",
    )
    peak_memory_bytes: int | None = member(
        None,
        "Largest resident memory of the model's processes together, measured twice a second.",
        unit="bytes",
        minimum=0,
    )
    read_bytes: int | None = member(
        None, "What the model's processes read from files, also if a cache had it.", unit="bytes", minimum=0
    )
    written_bytes: int | None = member(None, "What the model's processes wrote to files.", unit="bytes", minimum=0)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a stage that several workers make (spec.parts)."""

    total: int = member(0, "Parts of the stage.", unit="parts", minimum=0)
    done: int = member(0, "Parts that are made.", unit="parts", minimum=0)
    running: int = member(0, "Workers that make parts now, each one part.", unit="workers", minimum=0)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The photos that were read."""

    images: int | None = member(None, "How many photos were read.", unit="photos", minimum=0)
    bytes: int | None = member(None, "Size of the photos together.", unit="bytes", minimum=0)


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of an attempt that runs on one worker. The first leg of an attempt has no entry."""

    number: int = member(0, "Number of the leg after the attempt's first, from 1.", minimum=1)
    queue: str = member("", "Celery queue of the leg, with the priority's suffix.", max_length=64)
    stage: str = member("", "Stage with which the leg begins, such as depth.", max_length=64)
    instead_of: str = member(
        "",
        "Queue of spec.stageQueues that had no free worker in time: the stage runs on spec.queue.",
        max_length=64,
    )
    since: datetime | None = member(None, "When the operator saw the end of the leg before.")
