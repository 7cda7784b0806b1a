"""`get` and `list`: a table of jobs, those that need attention first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubectl_recon.display.formats import Format, objects
from kubectl_recon.display.screen import PHASE_COLOURS, VERDICT_COLOURS, Screen, note, screen
from kubectl_recon.display.tables import Column, table
from kubectl_recon.jobs.attention import attention, phase_text, reason_text, time_text
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, seconds_between
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import Selection, select


def run(connection: Connection, selection: Selection, how: Format | None) -> int:
    """Print the jobs. Exit code 0 even if there are none, as in kubectl."""
    jobs = sorted(select(connection, selection), key=attention)
    if how in (Format.JSON, Format.YAML, Format.NAME):
        if jobs or how is not Format.NAME:
            print(objects([job.raw for job in jobs], how, single=len(selection.names) == 1))  # noqa: T201  # the result
        return 0
    if not jobs:
        note("No jobs found." if selection.everywhere else f"No jobs found in namespace {connection.namespace}.")
        return 0
    where = screen()
    for line in lines(jobs, where, connection.api.now(), everywhere=selection.everywhere, wide=how is Format.WIDE):
        where.print(line)
    return 0


def lines(
    jobs: Sequence[Job], where: Screen, now: datetime, *, everywhere: bool = False, wide: bool = False
) -> list[str]:
    """Return the lines of the table, cut to the terminal's width unless `wide`."""
    columns = _columns(now)
    if everywhere:
        columns.insert(0, Column("NAMESPACE", lambda job: job.namespace))
    if wide:
        return table([*columns, *_wide_columns()], jobs, Screen(where.out, None, where.colour))
    return table(columns, jobs, where)


def phase_colour(job: Job) -> str:
    """Return the colour of the job's phase: that of its verdict, if it has one."""
    if job.cancel_requested and not job.finished:
        return "yellow"
    return VERDICT_COLOURS.get(job.verdict) or PHASE_COLOURS.get(phase_text(job).partition(",")[0], "")


def _columns(now: datetime) -> list[Column[Job]]:
    return [
        Column("NAME", lambda job: job.name, cut=True),
        Column("PHASE", phase_text, colour=phase_colour),
        Column("DONE", lambda job: job.done if job.progress else ""),
        Column("TIME", lambda job: time_text(job, now)),
        Column("MODEL", lambda job: job.model, drop=2, cut=True),
        Column("QUEUE", lambda job: job.full_queue, drop=1, cut=True),
        Column("AGE", lambda job: duration_text(seconds_between(job.created, now))),
        Column("REASON", reason_text, cut=True, colour=lambda job: VERDICT_COLOURS.get(job.verdict, "yellow")),
    ]


def _wide_columns() -> list[Column[Job]]:
    return [
        Column("STEP", lambda job: job.step),
        Column("IMAGES", lambda job: str(job.status.get("inputs", {}).get("images") or "")),
        Column("ATTEMPT", lambda job: str(job.attempt or "")),
        Column("WORKER", lambda job: job.worker),
        Column("CANCEL REASON", lambda job: str(job.spec.get("cancelReason") or "")),
        Column("MESSAGE", lambda job: " ".join(job.message.split())),
    ]
