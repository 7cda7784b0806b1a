"""`suspend` and `resume`."""

from __future__ import annotations

from reconstruction_operator.kube import paths

from kubectl_recon.display.answers import Answers
from kubectl_recon.display.formats import Format
from kubectl_recon.errors import ApiError
from kubectl_recon.jobs.attention import foreign
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import Selection, select


def suspend(connection: Connection, selection: Selection, how: Format | None, *, suspended: bool) -> int:
    """Suspend or resume jobs. Exit code 1 if one could not be changed."""
    selection.require()
    answers, failed = Answers(how, selection.everywhere), False
    for job in select(connection, selection):
        why = _why_not(job, suspended)
        if why:
            if selection.names:
                answers.refused(job, why)
                failed = failed or job.finished or foreign(job)
            continue
        try:
            changed = connection.api.merge(paths.job(job.namespace, job.name), {"spec": {"suspend": suspended}})
        except ApiError as error:
            answers.refused(job, error)
            failed = True
        else:
            answers.done(Job(changed), "suspended" if suspended else "resumed")
    answers.end()
    return int(failed)


def _why_not(job: Job, suspended: bool) -> str:
    if foreign(job):
        return f"managed by {job.spec.get('managedBy')}"
    if job.finished:
        return f"already {job.phase}" + ("" if suspended else ": `kubectl recon retry` runs it again under a new name")
    if job.cancel_confirmed:
        return "its cancel is confirmed, which is final"
    if job.suspended == suspended:
        return "already suspended" if suspended else "not suspended"
    return ""
