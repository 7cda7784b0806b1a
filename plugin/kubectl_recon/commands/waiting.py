"""`wait`: waits until jobs reach a state, as `kubectl wait`, or until they can no longer reach it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kubectl_recon.display.answers import Answers
from kubectl_recon.display.formats import Format
from kubectl_recon.errors import NotFoundError, UsageError
from kubectl_recon.jobs import outcomes
from kubectl_recon.jobs.attention import phase_text
from kubectl_recon.jobs.job import FINISHED, Job
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.job_watch import JobWatch
from kubectl_recon.targets.selecting import Selection, bare, select

_TICK_SECONDS: Final = 0.5
FINISHED_GOAL: Final = "finished"
DELETED_GOAL: Final = "delete"
_GOALS: Final[dict[str, Callable[[Job], bool]]] = {
    FINISHED_GOAL: lambda job: job.finished,
    "succeeded": lambda job: job.phase == "Succeeded",
    "failed": lambda job: job.phase == "Failed",
    "cancelled": lambda job: job.phase == "Cancelled",
    "running": lambda job: job.phase == "Running",
    "queued": lambda job: job.phase == "Queued",
    "suspended": lambda job: job.phase == "Suspended",
    DELETED_GOAL: lambda _: False,
}


def goal(text: str) -> Callable[[Job], bool]:
    """Return the test for the state in `--for`. Raises UsageError."""
    kind, _, rest = text.partition("=")
    if kind.lower() == "condition" and rest:
        name, _, status = rest.partition("=")
        return lambda job: job.condition(name).status.lower() == (status or "true").lower()
    if test := _GOALS.get(text.lower()):
        return test
    raise UsageError(f'--for "{text}" is unknown: use {", ".join(_GOALS)}, or condition=TYPE or condition=TYPE=STATUS')


def run(
    connection: Connection, selection: Selection, state: str, timeout_seconds: int | None, how: Format | None
) -> int:
    """Wait, and print a line for each job, or at the end the objects of those that reached the state.

    Exit code 0 if all did.
    """
    selection.require()
    reached = goal(state)
    state = state.lower()
    answers = Answers(how, selection.everywhere)
    jobs = {job.key: job for job in _chosen(connection, selection, state, answers)}
    if not jobs:
        if selection.names:
            return outcomes.SUCCEEDED
        raise UsageError("no job matches")
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    codes: dict[tuple[str, str], int] = {}
    with JobWatch(connection, selection, tuple(jobs), with_events=False) as watch:
        while codes.keys() < jobs.keys():
            left = _TICK_SECONDS if deadline is None else min(_TICK_SECONDS, deadline - time.monotonic())
            list(watch.updates(max(0.0, left)))
            jobs |= watch.jobs
            for key in [key for key in jobs if key not in codes]:
                code = _code(watch.jobs.get(key), watch.listed, state, reached)
                if code is not None:
                    codes[key] = code
                    _report(answers, jobs[key], state, code, deleted=key not in watch.jobs)
            if deadline is not None and time.monotonic() >= deadline:
                for key in jobs.keys() - codes.keys():
                    codes[key] = outcomes.TIMED_OUT
                    answers.refused(jobs[key], f"not {_state(state)} after {timeout_seconds} s")
    answers.end()
    return outcomes.of_all(codes.values())


def _chosen(connection: Connection, selection: Selection, state: str, answers: Answers) -> list[Job]:
    """Return the jobs to wait for. A missing job is an error, unless its deletion is awaited."""
    if state != DELETED_GOAL or not selection.names:
        return select(connection, selection)
    jobs = []
    for name in selection.names:
        try:
            jobs += select(connection, replace(selection, names=(name,)))
        except NotFoundError:
            answers.absent(bare(name), _state(state))
    return jobs


def _code(job: Job | None, listed: bool, state: str, reached: Callable[[Job], bool]) -> int | None:
    """Return the exit code of one job; None while it may still reach the state."""
    if job is None:
        return (outcomes.SUCCEEDED if state == DELETED_GOAL else outcomes.DELETED) if listed else None
    if reached(job):
        # Any outcome is "finished"; the exit code shows which one it was.
        return outcomes.of_job(job) if state == FINISHED_GOAL else outcomes.SUCCEEDED
    if state == DELETED_GOAL or job.phase not in FINISHED:
        return None
    return outcomes.of_job(job) or outcomes.FAILED  # finished in another state


def _state(state: str) -> str:
    return "deleted" if state == DELETED_GOAL else state


def _report(answers: Answers, job: Job, state: str, code: int, *, deleted: bool) -> None:
    """Report the last known state of the job: on stdout if it reached the state, else on stderr."""
    if state == FINISHED_GOAL and not deleted:
        answers.done(job, phase_text(job))
    elif code == outcomes.SUCCEEDED:
        answers.done(job, _state(state))
    elif deleted:
        answers.refused(job, "deleted")
    else:
        answers.refused(job, f"{job.phase}, so it will not be {state}")
