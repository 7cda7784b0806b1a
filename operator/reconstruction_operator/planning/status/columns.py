"""Columns of `kubectl get recon`: their texts, of a few characters."""

from __future__ import annotations

from reconstruction_operator.api.display import duration_text
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.api.verdict import Verdict
from reconstruction_operator.planning.case import Decision, JobState
from reconstruction_operator.planning.status.conditions import Circumstances
from reconstruction_operator.planning.status.waiting import Wait


def phase_detail(facts: Circumstances, phase: Phase, verdict: Verdict | None) -> str:
    """Return the phase with what changes its meaning; empty if nothing does."""
    if phase.finished or phase is Phase.CANCELLING:
        return f"Succeeded, {verdict.lower()}" if verdict in (Verdict.WARNING, Verdict.SIMULATED) else ""
    if facts.requested:
        return f"{phase.value}, cancel requested"
    return f"{phase.value}, suspending" if facts.suspending else ""


def time_detail(status: Status, phase: Phase) -> str:
    """Return the time that is left of a run, or from the start of a finished job to its end; empty if it is unknown."""
    if phase.finished:
        if status.start_time is None or status.completion_time is None:
            return ""
        return f"took {duration_text(int((status.completion_time - status.start_time).total_seconds()))}"
    eta = status.progress.eta if status.progress else ""
    return f"{eta} left" if eta else ""


def reason(decision: Decision, wait: Wait | None) -> str:
    """Return why the job failed or waits; empty for other jobs.

    It has no times, so that an idle job causes no writes.
    """
    if wait is not None:
        return wait.short
    code = decision.status.failure.reason if decision.status.failure else ""
    match decision.state:
        case JobState.INVALID | JobState.FAILED:
            return code
        case JobState.RUNNING if code:
            return f"after {code}"
        case JobState.RECOVERING:
            return "Redis lost data"
    return ""
