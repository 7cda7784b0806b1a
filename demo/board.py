"""Board: the state of the jobs as a user's watch shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconstruction_operator.contract.installation import Problem

from devcluster.harness.jobs import is_true


@dataclass(frozen=True)
class JobView:
    """One job by its newest status."""

    name: str
    phase: str = ""  # with what changes its meaning: Succeeded, warning
    verdict: str = ""
    percent: int = 0
    step: str = ""
    step_index: int = 0
    eta_seconds: int | None = None
    steps_begun: Mapping[str, float] = field(default_factory=dict)  # step -> seconds since the demo's start
    finished_at: float | None = None  # on the same clock

    @property
    def finished(self) -> bool:
        """Whether the job has finished."""
        return self.finished_at is not None

    def step_seconds(self) -> dict[str, float]:
        """Return the duration of each step of a finished job."""
        names = list(self.steps_begun)
        begun = [*self.steps_begun.values(), self.finished_at or 0.0]
        return {name: begun[index + 1] - begun[index] for index, name in enumerate(names)}


def seen(before: JobView | None, job: Mapping[str, Any], at: float) -> JobView:
    """Return the view after the watch showed the object `job`, `at` seconds after the demo's start."""
    status: Mapping[str, Any] = job.get("status") or {}
    progress: Mapping[str, Any] = status.get("progress") or {}
    view = before or JobView(job["metadata"]["name"])
    step = progress.get("step", "")
    begun = dict(view.steps_begun)
    if step and step not in begun:
        begun[step] = at
    return replace(
        view,
        phase=status.get("phaseDetail") or status.get("phase", ""),
        verdict=status.get("verdict", ""),
        percent=int(progress.get("percent", 0)),
        step=step,
        step_index=int(progress.get("stepIndex", 0)),
        eta_seconds=progress.get("etaSeconds"),
        steps_begun=begun,
        finished_at=view.finished_at if view.finished_at is not None else at if is_true(job, "Finished") else None,
    )


@dataclass(frozen=True)
class EventView:
    """One Kubernetes Event about a job."""

    at: float  # seconds since the demo's start
    job: str
    kind: str  # Normal | Warning
    reason: str
    message: str


@dataclass(frozen=True)
class Board:
    """The state that the display shows."""

    jobs: Mapping[str, JobView] = field(default_factory=dict)
    events: tuple[EventView, ...] = ()
    problems: tuple[Problem, ...] = ()  # of the installation

    def with_job(self, job: Mapping[str, Any], at: float) -> Board:
        """Return the board with the state of that job."""
        name = job["metadata"]["name"]
        return replace(self, jobs={**self.jobs, name: seen(self.jobs.get(name), job, at)})

    def with_problems(self, problems: Sequence[Problem]) -> Board:
        """Return the board with these problems of the installation."""
        return replace(self, problems=tuple(problems))

    def with_event(self, event: Mapping[str, Any], at: float) -> Board:
        """Return the board with that Event; unchanged if it is not about a job."""
        about: Mapping[str, Any] = event.get("involvedObject") or {}
        if about.get("kind") != "ReconstructionJob":
            return self
        view = EventView(
            at, about.get("name", ""), event.get("type", ""), event.get("reason", ""), event.get("message", "")
        )
        return replace(self, events=(*self.events, view))
