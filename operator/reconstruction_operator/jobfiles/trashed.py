"""What is in the trash (`trash`): found by namespace, or by namespace and job.

    <JOBS_DIR>/.trash/<namespace>/<shard>/<job id>~<until>~<bytes>   a sealed result, kept until then (whole seconds since 1970)

The shard is a part of the job id's digest: a look for one job lists one shard, and a list of one namespace reads no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconstruction_operator import disk
from reconstruction_operator.jobfiles import layout

LEVELS: Final = 3
"""Folders above a result: its shard, its namespace and the trash."""


@dataclass(frozen=True, slots=True)
class Trashed:
    """One result in the trash. Another worker may move it meanwhile."""

    path: Path
    tenant: str  # the name of its namespace's folder (`layout.tenant`)
    job_id: str
    until: int  # seconds since 1970
    bytes: int


def find(namespace: str, job_id: str) -> Trashed | None:
    """Return the result of that job if it is in the trash."""
    return next((kept for kept in _in(layout.trash_shard(namespace, job_id)) if kept.job_id == job_id), None)


def of_namespace(namespace: str) -> Iterator[Trashed]:
    """Return the results of one namespace, unsorted."""
    return _of_tenant(layout.tenant(namespace))


def entries() -> list[Trashed]:
    """Return the results of all namespaces, sorted by expiry."""
    return sorted((kept for name in tenants() for kept in _of_tenant(name)), key=by_expiry)


def tenants() -> list[str]:
    """Return the names of the namespaces' folders: the namespaces, and digests of texts that are none."""
    return disk.names(layout.trash())


def by_expiry(kept: Trashed) -> tuple[int, str]:
    """Return the sort key: the first to expire first."""
    return kept.until, kept.job_id


def _of_tenant(name: str) -> Iterator[Trashed]:
    for shard in disk.entries(layout.trash() / name):
        yield from _in(shard)


def _in(shard: Path) -> Iterator[Trashed]:
    for name in disk.names(shard):
        job_id, *numbers = name.split("~")
        if job_id and len(numbers) == 2 and all(part.isascii() and part.isdigit() for part in numbers):  # noqa: PLR2004  # as above
            yield Trashed(shard / name, shard.parent.name, job_id, int(numbers[0]), int(numbers[1]))
