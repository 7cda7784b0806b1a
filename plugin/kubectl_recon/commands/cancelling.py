"""`cancel`: the two steps as a person lives them. It announces, shows what would be lost, asks once, and confirms.

Without an answer, or with "no", the announcements of this command are withdrawn. Scripts take single steps instead.
"""

from __future__ import annotations

import enum
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kubectl_recon.display.screen import Screen, note, screen
from kubectl_recon.display.tables import Column, table
from kubectl_recon.errors import ApiError, InvalidError, ReconError, UsageError
from kubectl_recon.jobs.attention import attention, foreign, phase_text
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, seconds_between
from kubectl_recon.kube import resources
from kubectl_recon.kube.connection import Connection
from kubectl_recon.targets.selecting import Selection, read, select

_END_SECONDS: Final = 60.0  # a worker hears a cancel within seconds
_LOOK_SECONDS: Final = 0.3
_REASON: Final = "cancelReason"
_WITHDRAWN: Final[dict[str, Any]] = {"cancelRequested": False, _REASON: None}


class Step(enum.Enum):
    """What to do."""

    BOTH = "cancel"
    REQUEST = "request"
    CONFIRM = "confirm"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Options:
    """How to do it. `sure`: without asking. `reason` is stored in the spec, where the CRD has the field."""

    step: Step = Step.BOTH
    sure: bool = False
    reason: str | None = None
    wait: bool = True


def run(connection: Connection, selection: Selection, options: Options, ask: Callable[[str], bool]) -> int:
    """Cancel the jobs. `ask` puts a question to the person. Exit code 1 if one of them could not be changed."""
    if selection.is_empty:
        raise UsageError("name a job, or choose some with -l or --all")
    if options.step is Step.BOTH and not options.sure and not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask on: take the steps one by one with --request and --confirm, or add --yes"
        )
    jobs = sorted(select(connection, selection), key=attention)
    eligible = [job for job in jobs if not _why_not(job, options.step)]
    failed = False
    for job in jobs:
        if why := _why_not(job, options.step):
            failed = failed or (bool(selection.names) and not _is_done(job, options.step))
            if selection.names:
                note(f"{job.name}: {why}")
    if not eligible:
        if not selection.names:
            note("There is no job to " + options.step.value + ".")
        return int(failed)
    if options.step is not Step.BOTH:
        return int(failed | _each(connection, eligible, options))
    return int(failed | _both(connection, eligible, options, ask))


def _both(connection: Connection, jobs: Sequence[Job], options: Options, ask: Callable[[str], bool]) -> bool:
    where = screen()
    announced, failed = _announce(connection, jobs, options.reason)
    if not announced:
        return True
    if not options.sure:
        for line in losses(announced, where, datetime.now(UTC)):
            where.print(line)
        own = [job for job in announced if not _was_announced(job, jobs)]
        count = f"these {len(announced)} jobs" if len(announced) > 1 else announced[0].name
        agreed = False
        try:
            agreed = ask(f"Cancel {count}? This is final, and the files are deleted.")
        finally:
            if not agreed:
                _withdraw(connection, own)
        if not agreed:
            return failed
    confirmed = []
    for job in announced:
        try:
            confirmed.append(Job(_patch(connection, job, {"cancelConfirmed": True})))
        except ApiError as error:
            failed = True
            note(f"{job.name}: {error}")
    return _report(connection, confirmed, wait=options.wait) or failed


def _announce(connection: Connection, jobs: Sequence[Job], reason: str | None) -> tuple[list[Job], bool]:
    """The jobs with a stored request, and whether one could not be requested."""
    announced, failed = [], False
    for job in jobs:
        if job.cancel_requested and reason is None:
            announced.append(job)
            continue
        try:
            announced.append(Job(_patch(connection, job, {"cancelRequested": True}, reason)))
        except ApiError as error:
            failed = True
            note(f"{job.name}: {error}")
    return announced, failed


def _was_announced(job: Job, before: Sequence[Job]) -> bool:
    return any(old.key == job.key and old.cancel_requested for old in before)


def _withdraw(connection: Connection, jobs: Sequence[Job]) -> None:
    """Withdraw what this command announced: a "no" leaves everything as it was."""
    for job in jobs:
        try:
            _patch(connection, job, _WITHDRAWN)
        except ReconError as error:
            note(f"{job.name}: the announced cancel could not be withdrawn: {error}")
    note("Nothing is cancelled." + (" The announced cancels are withdrawn." if jobs else ""))


def _each(connection: Connection, jobs: Sequence[Job], options: Options) -> bool:
    """One step of each job; whether one failed."""
    change, text = {
        Step.REQUEST: ({"cancelRequested": True}, "cancel requested; confirm it with --confirm, or --withdraw it"),
        Step.CONFIRM: ({"cancelConfirmed": True}, "cancel confirmed"),
        Step.WITHDRAW: (_WITHDRAWN, "cancel withdrawn"),
    }[options.step]
    failed = False
    for job in jobs:
        try:
            _patch(connection, job, change, options.reason)
        except ApiError as error:
            failed = True
            note(f"{job.name}: {error}")
        else:
            print(f"{job.name}: {text}")  # noqa: T201  # the result
    return failed


def _patch(connection: Connection, job: Job, change: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    spec = change if reason is None else {**change, _REASON: reason}
    path = resources.job(job.namespace, job.name)
    try:
        return connection.api.merge(path, {"spec": spec}, fieldValidation="Strict")
    except InvalidError as error:
        if reason is not None and "unknown field" in str(error):
            raise UsageError(
                f"the ReconstructionJobs of this cluster have no spec.{_REASON}: leave --reason out"
            ) from error
        raise


def _report(connection: Connection, jobs: Sequence[Job], *, wait: bool) -> bool:
    """One line for each job. With `wait` after it is over, or after a minute. Whether one was not cancelled."""
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
            print(f"{job.name}: {_result(now)}")  # noqa: T201  # the result
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
    """Why the job cannot take the step; empty if it can."""
    if foreign(job):
        return f"managed by {job.spec.get('managedBy')}, which alone can cancel it"
    if job.finished:
        return f"already {job.phase}"
    if job.cancel_confirmed:
        return "the cancel is confirmed already, which is final"
    if step is Step.WITHDRAW and not job.cancel_requested:
        return "no cancel is requested"
    if step is Step.CONFIRM and not job.cancel_requested:
        return "no cancel is requested: a cancel takes two steps, --request first"
    if step is Step.REQUEST and job.cancel_requested:
        return "a cancel is requested already"
    return ""


def _is_done(job: Job, step: Step) -> bool:
    """Whether the job is already as the step leaves it."""
    if step is Step.REQUEST:
        return job.cancel_requested and not job.cancel_confirmed and not job.finished
    if step is Step.WITHDRAW:
        return not job.cancel_requested
    return job.cancel_confirmed and (not job.finished or job.phase == "Cancelled")


def losses(jobs: Sequence[Job], where: Screen, now: datetime) -> list[str]:
    """A table of what a cancel would throw away."""
    columns: list[Column[Job]] = [
        Column("NAME", lambda job: job.name, cut=True),
        Column("PHASE", phase_text),
        Column("DONE", lambda job: f"{job.percent}%" if job.progress else "nothing yet"),
        Column("SPENT", lambda job: duration_text(seconds_between(job.time("startTime"), now))),
        Column("LEFT", lambda job: duration_text(job.eta_seconds)),
        Column("STEP", lambda job: job.step, drop=1, cut=True),
    ]
    return table(columns, jobs, where)
