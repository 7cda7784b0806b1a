"""`cancel`: requests the cancels, shows what would be lost, prompts once, and confirms.

Without the answer "yes", the requests of this command are withdrawn. Scripts take single steps instead.
"""

from __future__ import annotations

import enum
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconstruction_operator.kube import paths

from kubectl_recon.display.answers import Answers
from kubectl_recon.display.formats import Format
from kubectl_recon.display.screen import Screen, note, screen
from kubectl_recon.display.tables import Column, names, table
from kubectl_recon.errors import ApiError, InvalidError, ReconError, UsageError
from kubectl_recon.jobs.attention import attention, foreign, phase_text
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, seconds_between
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.job_watch import Key
from kubectl_recon.targets.selecting import Selection, read, select

_END_SECONDS: Final = 60.0  # a worker stops within seconds of a cancel
_LOOK_SECONDS: Final = 0.3
_REASON: Final = "cancelReason"
_WITHDRAWN: Final[dict[str, Any]] = {"cancelRequested": False, _REASON: None}


class Step(enum.Enum):
    """Steps of a cancel."""

    BOTH = "cancel"
    REQUEST = "request"
    CONFIRM = "confirm"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the command. `sure`: without a prompt. `reason`: stored in the spec, if the CRD has the field."""

    step: Step = Step.BOTH
    sure: bool = False
    reason: str | None = None
    wait: bool = True
    how: Format | None = None


def run(connection: Connection, selection: Selection, options: Options, ask: Callable[[str], bool]) -> int:
    """Cancel the jobs. `ask` prompts the user. Exit code 1 if a named job could not be changed."""
    selection.require()
    if options.step is Step.BOTH and not options.sure and not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal for the prompt: take the steps one by one with --request and --confirm, or add --yes"
        )
    answers = Answers(options.how, selection.everywhere)
    jobs = sorted(select(connection, selection), key=attention)
    reasons = {job.key: _why_not(job, options.step) for job in jobs}
    eligible = [job for job in jobs if not reasons[job.key]]
    others = [job for job in jobs if reasons[job.key]]
    failed = bool(selection.names) and not all(_is_done(job, options.step) for job in others)
    if selection.names:
        for job in others:
            answers.refused(job, reasons[job.key])
    else:
        for why in dict.fromkeys(reasons[job.key] for job in others):
            note(f"Not eligible, {why}: {names([answers.name(job) for job in others if reasons[job.key] == why])}")
    if not eligible:
        if not selection.names:
            note("There is no job to " + options.step.value + ".")
        return int(failed)
    act = _both if options.step is Step.BOTH else _each
    failed |= act(connection, eligible, options, ask, answers)
    answers.end()
    return int(failed)


def _both(
    connection: Connection, jobs: Sequence[Job], options: Options, ask: Callable[[str], bool], answers: Answers
) -> bool:
    """Take both steps; return whether one failed.

    Without a "yes", also after an interrupt, the requests are withdrawn.
    """
    announced: list[Job] = []
    agreed, failed = options.sure, False
    try:
        for job in jobs:
            if job.cancel_requested and options.reason is None:
                announced.append(job)
            else:
                announced += _changed(connection, [job], {"cancelRequested": True}, options.reason, answers)
        failed = len(announced) < len(jobs)
        if announced and not agreed:
            where = screen(sys.stderr if options.how else None)
            for line in losses(announced, where, connection.api.now(), everywhere=answers.everywhere):
                where.print(line)
            count = f"these {len(announced)} jobs" if len(announced) > 1 else announced[0].name
            agreed = ask(f"Cancel {count}? This is final, and the files are deleted.")
    finally:
        if announced and not agreed:
            _undo(connection, announced, {job.key: job for job in jobs}, options.reason, answers)
    if not agreed:
        return failed
    confirmed = list(_changed(connection, announced, {"cancelConfirmed": True}, None, answers))
    failed |= len(confirmed) < len(announced)
    return _report(connection, confirmed, answers, wait=options.wait) or failed


def _changed(
    connection: Connection, jobs: Sequence[Job], change: dict[str, Any], reason: str | None, answers: Answers
) -> Iterator[Job]:
    """Patch each job, and yield its new state; report a rejected patch instead."""
    for job in jobs:
        try:
            yield Job(_patch(connection, job, change, reason))
        except ApiError as error:
            answers.refused(job, error)


def _undo(
    connection: Connection, announced: Sequence[Job], before: Mapping[Key, Job], reason: str | None, answers: Answers
) -> None:
    """Withdraw the requests of this command, and restore the reasons that it replaced."""
    own = [job for job in announced if not before[job.key].cancel_requested]
    changes = {job.key: _WITHDRAWN for job in own}
    if reason is not None:  # also of cancels that were requested before
        changes |= {
            job.key: {_REASON: before[job.key].spec.get(_REASON)} for job in announced if job.key not in changes
        }
    for job in announced:
        if job.key in changes:
            try:
                _patch(connection, job, changes[job.key])
            except ReconError as error:
                answers.refused(job, f"the requested cancel could not be withdrawn: {error}")
    note("Nothing is cancelled." + (" The requested cancels are withdrawn." if own else ""))


def _each(
    connection: Connection, jobs: Sequence[Job], options: Options, _: Callable[[str], bool], answers: Answers
) -> bool:
    """Take one step for each job; return whether one failed."""
    change, text = {
        Step.REQUEST: ({"cancelRequested": True}, "cancel requested; confirm it with --confirm, or --withdraw it"),
        Step.CONFIRM: ({"cancelConfirmed": True}, "cancel confirmed"),
        Step.WITHDRAW: (_WITHDRAWN, "cancel withdrawn"),
    }[options.step]
    changed = 0
    for job in _changed(connection, jobs, change, options.reason, answers):
        answers.done(job, text)
        changed += 1
    return changed < len(jobs)


def _patch(connection: Connection, job: Job, change: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    spec = change if reason is None else {**change, _REASON: reason}
    path = paths.job(job.namespace, job.name)
    try:
        return connection.api.merge(path, {"spec": spec}, fieldValidation="Strict")
    except InvalidError as error:
        if reason is not None and "unknown field" in str(error):
            raise UsageError(f"the ReconstructionJobs of this cluster have no spec.{_REASON}: omit --reason") from error
        raise


def _report(connection: Connection, jobs: Sequence[Job], answers: Answers, *, wait: bool) -> bool:
    """Print one line for each job; with `wait` once it has finished, or after a minute.

    Return whether one was not cancelled.
    """
    deadline = time.monotonic() + (_END_SECONDS if wait else 0.0)
    open_jobs = {job.key: job for job in jobs}
    failed = False
    while open_jobs:
        for job in list(open_jobs.values()):
            now = job
            if wait:
                try:
                    now = read(Connection(connection.api, connection.context, job.namespace), job.name)
                except ApiError:
                    now = Job({**job.raw, "status": {**job.status, "phase": "Cancelled"}})  # deleted by its TTL
            late = time.monotonic() >= deadline
            if not now.finished and not late:
                continue
            del open_jobs[job.key]
            failed = failed or (now.finished and now.phase != "Cancelled")
            answers.done(now, _result(now))
        if open_jobs:
            time.sleep(_LOOK_SECONDS)
    return failed


def _result(job: Job) -> str:
    if job.phase == "Cancelled":
        return "cancelled"
    if job.finished:
        return f"{job.phase.lower()} before the cancel"
    return "cancel confirmed, and being stopped"


def _why_not(job: Job, step: Step) -> str:
    """Return why the step is impossible for the job; empty if it is possible."""
    if foreign(job):
        return f"managed by {job.spec.get('managedBy')}, and only that controller can cancel it"
    if job.finished:
        return f"already {job.phase}"
    if job.cancel_confirmed:
        return "the cancel is already confirmed, which is final"
    if step is Step.WITHDRAW and not job.cancel_requested:
        return "no cancel is requested"
    if step is Step.CONFIRM and not job.cancel_requested:
        return "no cancel is requested: a cancel takes two steps, --request first"
    if step is Step.REQUEST and job.cancel_requested:
        return "a cancel is already requested"
    return ""


def _is_done(job: Job, step: Step) -> bool:
    """Return whether the step was already taken for the job."""
    if step is Step.REQUEST:
        return job.cancel_requested and not job.cancel_confirmed and not job.finished
    if step is Step.WITHDRAW:
        return not job.cancel_requested
    return job.cancel_confirmed and (not job.finished or job.phase == "Cancelled")


def losses(jobs: Sequence[Job], where: Screen, now: datetime, *, everywhere: bool = False) -> list[str]:
    """Return a table of the work that a cancel would discard."""
    columns: list[Column[Job]] = [
        Column("NAME", lambda job: job.name, cut=True),
        Column("PHASE", phase_text),
        Column("DONE", lambda job: job.done if job.progress else "nothing yet"),
        Column("SPENT", lambda job: duration_text(seconds_between(job.time("startTime"), now))),
        Column("LEFT", lambda job: duration_text(job.eta_seconds)),
        Column("STEP", lambda job: job.step, drop=1, cut=True),
    ]
    if everywhere:
        columns.insert(0, Column("NAMESPACE", lambda job: job.namespace))
    return table(columns, jobs, where)
