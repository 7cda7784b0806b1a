"""Limit of the API server: how fast it takes one create and two status patches for each job, with no operator running."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from benchmarks.clients import LoadClient, create_jobs, in_parallel, path_of
from benchmarks.systems import NAMESPACE

_MERGE_PATCH = "application/merge-patch+json"


async def jobs_per_second(client: LoadClient, count: int) -> float:
    """`1 / (1/creates + 2/status patches)`, both as rates of `count` requests over a few connections."""
    names = [f"limit-{number}" for number in range(count)]
    begun = time.monotonic()
    await create_jobs(client, NAMESPACE, names, suspend=True)
    created = time.monotonic()

    def patch(name: str) -> Callable[[], Awaitable[object]]:
        status = {"status": {"phase": "Suspended", "observedGeneration": 1}}
        return lambda: client.request("PATCH", f"{path_of(NAMESPACE, name)}/status", status, kind=_MERGE_PATCH)

    await in_parallel(patch(name) for name in names)
    patched = time.monotonic()
    return count / ((created - begun) + 2 * (patched - created))
