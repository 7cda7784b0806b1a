"""`restore`: creates a job that takes the result of a deleted job of the same name over from the trash.

This needs only the right to create jobs. The gallery lists the trash for users who may see the jobs, with the photos of
each.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from reconstruction_operator.kube import paths

from kubectl_recon.commands import watching
from kubectl_recon.display.screen import note, screen
from kubectl_recon.display.tables import Column, table
from kubectl_recon.errors import ConflictError, ReconError, UsageError
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import Way, reached, token
from kubectl_recon.installation import published
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import LATEST, Selection, bare


def restore(connection: Connection, name: str, spec: dict[str, Any], way: Way, *, follow: bool) -> int:
    """Restore the newest result of that name. With `follow`, the exit code is that of the new job's outcome."""
    name = bare(name)
    if name == LATEST:
        raise UsageError(f"{LATEST} is the newest job, which is not deleted: use the name of a job, or list the trash")
    spec = {**_repeated(connection, name, way), **spec, "reuse": "Required"}
    body = manifests.manifest(name, spec, namespace=connection.namespace)
    try:
        job = Job(connection.api.post(paths.jobs(connection.namespace), body, fieldValidation="Strict"))
    except ConflictError as error:
        raise ReconError(
            f"there is a job {name}, so its name cannot be restored: kubectl recon results {name} downloads its result"
        ) from error
    note(f"{name}: created; it takes over the newest result of that name")
    return watching.follow(connection, Selection((name,)), {job.key}) if follow else 0


def _repeated(connection: Connection, name: str, way: Way) -> dict[str, Any]:
    """Return the spec of the newest result of that name.

    If the gallery's trash does not have it, the spec names no photos.
    """
    with suppress(ReconError):
        for job in reversed(_trash(connection, way)):
            if (job["metadata"]["namespace"], job["metadata"]["name"]) == (connection.namespace, name):
                return dict(job["spec"])
    return {"input": {"uri": manifests.UNKNOWN_PHOTOS}}


def _trash(connection: Connection, way: Way) -> list[dict[str, Any]]:
    way = published.gallery(connection.api, [], way)
    with reached(connection, way) as url:
        return list(Gallery(url, token(connection, way)).get("/api/trash")["jobs"])


def listed(connection: Connection, way: Way, *, everywhere: bool) -> None:
    """Print the results in the trash of the gallery's volume, those that expire first first.

    Raises ReconError without a gallery.
    """
    jobs = _trash(connection, way)
    columns: list[Column[Any]] = [
        Column("NAMESPACE", lambda job: job["metadata"]["namespace"]),
        Column("NAME", lambda job: job["metadata"]["name"], cut=True),
        Column("MODEL", lambda job: job["spec"]["modelType"], drop=1),
        Column("KEPT UNTIL", lambda job: datetime.fromtimestamp(job["until"], UTC).isoformat(" ", "minutes")),
    ]
    chosen = [job for job in jobs if everywhere or job["metadata"]["namespace"] == connection.namespace]
    where = screen()
    for line in table(columns, chosen, where) if chosen else ["The trash has no result of a job that you may see."]:
        where.print(line)
