"""Attempt: what its messages carry whole, and the error that ends a superseded run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Self

from reconstruction_operator.api.attempt_status import Inputs, Parts, StepTime, Usage
from reconstruction_operator.contract.assessment import Assessment


@dataclass(frozen=True, slots=True)
class Findings(Assessment):
    """What a run has found out so far, or in the end. The status shows the fields of the same names.

    Progress, manifest and end of an attempt carry it from the worker to the status: a new fact for users is a field
    here, or of `Assessment` if the model tells it, and one of the same name in `api.status.Status`.
    """

    quality: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    inputs: Inputs | None = None
    steps: tuple[StepTime, ...] = ()  # the finished ones; in an end all that it began
    usage: Usage | None = None
    parts: Parts | None = None  # of the stage that the run makes with helpers now
    resumed_from: str = ""  # the stage of an earlier attempt from which the run resumed

    def over(self, earlier: Self) -> Self:
        """Return these findings, with those of `earlier` that are missing here."""
        return type(self)(
            **{part.name: getattr(self, part.name) or getattr(earlier, part.name) for part in fields(self)}
        )

    def after(self, earlier: Self) -> Self:
        """Return these findings of a leg, with the steps and the usage of the whole attempt. `earlier`: those of the
        legs before it.

        Seconds and bytes add up. Of the peaks of memory the largest counts, since no two legs run at the same time.
        """
        seconds = Counter[str]()
        for step in (*earlier.steps, *self.steps):
            seconds[step.name] += step.seconds
        steps = tuple(StepTime(name, total) for name, total in seconds.items())
        return replace(self, steps=steps, usage=_total(earlier.usage, self.usage))


def _total(*usages: Usage | None) -> Usage | None:
    measured = [usage for usage in usages if usage is not None]

    def of(name: str, join: Callable[[Iterable[int]], int]) -> int | None:
        values = [value for usage in measured if (value := getattr(usage, name)) is not None]
        return join(values) if values else None

    peak = "peak_memory_bytes"
    totals = {part.name: of(part.name, max if part.name == peak else sum) for part in fields(Usage)}
    return Usage(**totals) if measured else None


@dataclass(frozen=True, slots=True)
class Legs:
    """On which queue each stage of an attempt runs, and which leg of the attempt this is."""

    queues: Mapping[str, str] = field(default_factory=dict)  # by stage; spec.stageQueues, or else the pool's
    home: str = ""  # spec.queue, for all other stages
    number: int = 0  # 0: the attempt's first leg
    stage: str = ""  # with which this leg begins: it runs here, whatever its queue
    before: Findings = field(default_factory=Findings)  # steps and usage of the legs before this one
    of_pool: bool = False  # the queues are the pool's: stages that the model lacks do not count

    def elsewhere(self, stages: Collection[str], pool: str) -> Mapping[str, str]:
        """Return the queues of those of the stages that belong to another pool than this one."""
        wanted = {stage: self.queues.get(stage, self.home) for stage in stages}
        return {stage: queue for stage, queue in wanted.items() if queue != pool and stage != self.stage}


@dataclass(frozen=True, slots=True)
class Orders:
    """What an attempt has to do with its result and its files."""

    retain_seconds: int = 0  # how long the result stays in the trash after the object is deleted
    last: bool = False  # no attempt follows if this one fails, so nothing must be kept for a next one
    reuse: str = ""  # spec.reuse; empty: Never
    legs: Legs | None = None  # None: the whole attempt runs on the job's own queue
    parts: int | None = None  # spec.parts, as the quota of the namespace allows it; None: one worker runs all


class SupersededError(Exception):
    """The run is superseded by a later one, or the job's files were deleted: it must stop without effects."""
