"""Selection of jobs: by name, by label, all of them, or `@latest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.kube import paths

from kubectl_recon.errors import ForbiddenError, NotFoundError, ReconError, UsageError
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import Connection

LATEST: Final = "@latest"
"""Stands for the job that was created last."""

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)
_KINDS: Final = ("recon", "rjob", "reconstructionjob", "reconstructionjobs", "reconstructionjob.reconstruction.dev")


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs on the command line. The meaning of an empty selection depends on the command: no jobs, or all jobs."""

    names: Sequence[str] = ()
    selector: str | None = None
    everywhere: bool = False
    all_jobs: bool = False

    def __post_init__(self) -> None:
        if self.names and (self.selector or self.all_jobs):
            raise UsageError("name jobs, or select them with -l or --all, but not both")
        if self.everywhere and any(name != LATEST for name in self.names):
            raise UsageError("a job's name needs one namespace: use -n instead of -A")

    def require(self) -> None:
        """Raise UsageError if the command line selects no job."""
        if not (self.names or self.selector or self.all_jobs):
            raise UsageError("name a job, or select some with -l or --all")


def bare(name: str) -> str:
    """Return the name without its kind, as in `recon/banana`. Raises UsageError for another kind."""
    kind, slash, rest = name.partition("/")
    if not slash:
        return name
    if kind.lower() not in _KINDS:
        raise UsageError(f'"{name}" is not a ReconstructionJob: use recon/NAME, or just NAME')
    return rest


def scope(connection: Connection, selection: Selection) -> str | None:
    """Return the namespace to search; None for all."""
    return None if selection.everywhere else connection.namespace


def select(connection: Connection, selection: Selection) -> list[Job]:
    """Return the selected jobs; all of the namespace for an empty selection. Raises NotFoundError for a missing job."""
    api, namespace = connection.api, scope(connection, selection)
    names = list(dict.fromkeys(map(bare, selection.names)))
    jobs = []
    if LATEST in names or not names:
        bodies = api.items(paths.jobs(namespace), labelSelector=selection.selector)
        every = [Job(body) for body in bodies]
        if not names:
            return every
        newest = latest(every)
        if newest is None:
            raise NotFoundError(404, f"there is no job yet in {_place(namespace)}, so there is no {LATEST}")
        jobs.append(newest)
    jobs += [read(connection, name) for name in names if name != LATEST]
    return list({job.key: job for job in jobs}.values())


def visible(connection: Connection) -> tuple[list[Job], str]:
    """Return the jobs that the user may list: of all namespaces, of the connection's, or none; and a sentence if not of
    all.
    """
    namespace, refusal = connection.namespace, ""
    for place, sentence in ((None, ""), (namespace, f"The jobs are those of namespace {namespace}.")):
        try:
            return list(map(Job, connection.api.items(paths.jobs(place)))), sentence
        except ForbiddenError as error:
            refusal = str(error)
    return [], f"The jobs are unknown: {refusal}."


def find(connection: Connection, name: str) -> Job:
    """Return the job of that name."""
    (job,) = select(connection, Selection((name,)))
    return job


def read(connection: Connection, name: str) -> Job:
    """Return the job of that name, which must not be `@latest`."""
    try:
        job = Job(connection.api.get(paths.job(connection.namespace, name)))
    except NotFoundError as error:
        if "the CRD is not installed" in str(error):
            raise
        raise NotFoundError(404, f'there is no job "{name}" in {_place(connection.namespace)}') from error
    if job.name != name:
        raise ReconError(f"the API server sent job {job.name} instead of {name}")
    return job


def latest(jobs: Sequence[Job]) -> Job | None:
    """Return the job that was created last; of several in the same second, the last one by name."""
    return max(jobs, key=lambda job: (job.created or _NO_TIME, job.name), default=None)


def _place(namespace: str | None) -> str:
    return "the cluster" if namespace is None else f"namespace {namespace}"
