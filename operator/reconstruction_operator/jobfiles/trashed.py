"""What is in the trash (`trash`): found by namespace, or by namespace and job.

    <JOBS_DIR>/.trash/<namespace>/<shard>/<job id>~<until>~<bytes>   a sealed result, kept until then (whole
                                                                 seconds since 1970)

The shard is a part of the job id's digest: a look for one job lists one shard, and a list of one namespace reads no
other.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconstruction_operator import disk
from reconstruction_operator.jobfiles import layout

_NAME: Final = re.compile("([^~]+)~([0-9]+)~([0-9]+)")
LEVELS: Final = 3
"""Folders above a result: its shard, its namespace and the trash."""


@dataclass(frozen=True, slots=True)
class Trashed:
    """One result in the trash. Another worker may move it meanwhile."""

    shard: Path
    name: str  # in its shard
    job_id: str
    until: int  # seconds since 1970
    bytes: int

    @property
    def path(self) -> Path:
        """The folder of the result.

        Made on demand: a namespace can have 50,000, and a path of each takes longer than their list.
        """
        return self.shard / self.name

    @property
    def tenant(self) -> str:
        """The name of its namespace's folder (`layout.tenant`)."""
        return self.shard.parent.name


def find(namespace: str, job_id: str) -> Trashed | None:
    """Return the result of that job if it is in the trash."""
    return next((kept for kept in _in(layout.trash_shard(namespace, job_id)) if kept.job_id == job_id), None)


def of_namespace(namespace: str) -> Iterator[Trashed]:
    """Return the results of one namespace, unsorted."""
    return _of_tenant(layout.tenant(namespace))


def newest(listed: Iterable[Trashed], most: int) -> list[Trashed]:
    """Return the results that expire last, at most that many, sorted by expiry."""
    return heapq.nlargest(most, listed, key=by_expiry)[::-1]


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
        if match := _NAME.fullmatch(name):
            job_id, until, size = match.groups()
            yield Trashed(shard, name, job_id, int(until), int(size))
