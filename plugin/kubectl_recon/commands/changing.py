"""`suspend`, `resume` and `retry`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconstruction_operator.api import identity
from reconstruction_operator.kube import paths

from kubectl_recon.display.answers import Answers
from kubectl_recon.display.formats import Format
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ApiError, UsageError
from kubectl_recon.installation import accepting, published
from kubectl_recon.jobs.attention import foreign
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import Selection, find, select

RETRY_OF: Final = f"{identity.GROUP}/retry-of"
"""Annotation of a job that `retry` created: the name of the original job."""

_NOT_REPEATED: Final = ("cancelRequested", "cancelConfirmed", "cancelReason", "suspend")


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


def retry(
    connection: Connection, name: str, changes: Mapping[str, Any], new_name: str | None, how: Format | None
) -> Job:
    """Create a job with the spec of a finished job and `changes`. The finished job itself never runs again."""
    original = find(connection, name)
    job = _again(connection, original, changes, new_name)
    answers = Answers(how)
    answers.done(job, f"created from {original.name}")
    answers.end()
    return job


def _again(connection: Connection, job: Job, changes: Mapping[str, Any], new_name: str | None) -> Job:
    if not job.finished:
        raise UsageError(
            f"{job.name} is not finished ({job.phase or 'new'})"
            + (f", and is retried automatically: {job.message}" if job.failures else ": it needs no retry")
        )
    if job.spec.get("input", {}).get("uri") == manifests.UNKNOWN_PHOTOS:
        raise UsageError(
            f"{job.name} was created by kubectl recon restore and names no photos: submit them again (kubectl recon submit)"
        )
    spec = {key: value for key, value in job.spec.items() if key not in _NOT_REPEATED} | dict(changes)
    if spec.get("reuse") == "Required":  # there is no result under the new name
        del spec["reuse"]
    if job.output_uri and job.spec.get("output") and spec.get("output") == job.spec["output"]:
        raise UsageError(
            f"{job.spec['output'].get('uri')} holds the result of {job.name}, which no other job may replace: "
            "choose another address with --output"
        )
    installation = published.read(connection.api, [job])
    if problem := accepting.problem(installation, spec):
        if problem != accepting.problem(installation, job.spec):  # else its worker may just have died
            raise UsageError(f"this job would fail: {problem}")
        note(f"  warning: {problem}")
    first = str((job.metadata.get("annotations") or {}).get(RETRY_OF) or job.name)

    def make(candidate: str) -> dict[str, Any]:
        body = manifests.manifest(candidate, spec, labels=job.metadata.get("labels"))
        body["metadata"]["annotations"] = {RETRY_OF: first}
        return body

    return Job(manifests.create(connection, [new_name] if new_name else manifests.names_after(job.name), make))
