"""The jobs that a command is about: by name, by label, all of them, or `@latest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kubectl_recon.errors import NotFoundError, UsageError
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import resources
from kubectl_recon.kube.connection import Connection

LATEST: Final = "@latest"
"""A name for the job that was created last."""

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)
_KINDS: Final = ("recon", "rjob", "reconstructionjob", "reconstructionjobs", "reconstructionjob.reconstruction.dev")


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line asks for. Neither names nor `all_jobs` nor a label: nothing, or everything, as each command documents."""

    names: Sequence[str] = ()
    selector: str | None = None
    everywhere: bool = False
    all_jobs: bool = False

    def __post_init__(self) -> None:
        if self.names and (self.selector or self.all_jobs):
            raise UsageError("name jobs, or choose them with -l or --all, but not both")
        if self.everywhere and any(name != LATEST for name in self.names):
            raise UsageError("a job cannot be named across all namespaces: use -n instead of -A")

    @property
    def is_empty(self) -> bool:
        """Whether the command line chooses nothing."""
        return not (self.names or self.selector or self.all_jobs)


def bare(name: str) -> str:
    """The name without its kind, as in `recon/banana`. Raises UsageError for another kind."""
    kind, slash, rest = name.partition("/")
    if not slash:
        return name
    if kind.lower() not in _KINDS:
        raise UsageError(f'"{name}" is no ReconstructionJob: this command knows recon/NAME, or just NAME')
    return rest


def scope(connection: Connection, selection: Selection) -> str | None:
    """The namespace to look in; None for all."""
    return None if selection.everywhere else connection.namespace


def select(connection: Connection, selection: Selection) -> list[Job]:
    """The jobs of the selection; all of the namespace if it is empty. Raises NotFoundError for a name without a job."""
    api, namespace = connection.api, scope(connection, selection)
    names = list(dict.fromkeys(map(bare, selection.names)))
    found = []
    if LATEST in names or not names:
        bodies, _ = api.items(resources.jobs(namespace), labelSelector=selection.selector)
        every = [Job(body) for body in bodies]
        if not names:
            return every
        newest = latest(every)
        if newest is None:
            raise NotFoundError(404, f"there is no job yet in {_place(namespace)}, so there is no {LATEST}")
        found.append(newest)
    found += [read(connection, name) for name in names if name != LATEST]
    return list({job.key: job for job in found}.values())


def one(connection: Connection, name: str) -> Job:
    """The job of that name."""
    (found,) = select(connection, Selection((name,)))
    return found


def read(connection: Connection, name: str) -> Job:
    """The job of that name, which is not `@latest`."""
    try:
        return Job(connection.api.get(resources.job(connection.namespace, name)))
    except NotFoundError as error:
        if "could not find the requested resource" in str(error):
            raise NotFoundError(
                404, "this cluster has no ReconstructionJobs: the CRD is not installed (kubectl recon doctor)"
            ) from error
        raise NotFoundError(404, f'there is no job "{name}" in {_place(connection.namespace)}') from error


def latest(jobs: Sequence[Job]) -> Job | None:
    """The job that was created last; of those of the same second the last by name."""
    return max(jobs, key=lambda job: (job.created or _NO_TIME, job.name), default=None)


def _place(namespace: str | None) -> str:
    return "the cluster" if namespace is None else f"namespace {namespace}"
