"""Listing: consistent, paged lists of the jobs, of whole objects or of their metadata alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Phase
from reconstruction_operator.kube import parsing, paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.kube.pages import Pages
from reconstruction_operator.planning.times import backoff

UNFINISHED: Final = ",".join(f"status.phase!={phase}" for phase in Phase if phase.finished)
"""Field selector of the jobs that are not finished."""
_JSON: Final = "application/json"
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
BACKOFF_SECONDS: Final = 0.2
"""Before the next try of a page; doubles."""
_BACKOFF_MAX_SECONDS: Final = 2.0


async def pages(
    api: Api,
    path: str,
    *,
    tries: int = 1,
    backoff_seconds: float = BACKOFF_SECONDS,
    accept: str = _JSON,
    **params: str,
) -> AsyncIterator[parsing.Page]:
    """Yield the pages of a list of the jobs below a path, in their newest state (no resource version is sent).

    Raises ApiError if all tries of a page failed.
    """
    listing = Pages(params)
    failures = 0
    while not listing.complete:
        try:
            page = listing.add(await api.read(path, listing.query, listing.max_bytes, accept))
        except ApiError as error:
            try:
                listing.failed(error)
            except ApiError:
                failures += 1
                if failures >= tries or not error.transient:
                    raise
                pause = backoff(failures, backoff_seconds, _BACKOFF_MAX_SECONDS)
                await asyncio.sleep(max(error.retry_after_seconds or 0.0, pause))
        else:
            failures = 0
            yield page


async def list_jobs(api: Api, namespaces: Sequence[str]) -> frozenset[JobRef]:
    """List the existing jobs. Raises ApiError if a page failed."""
    keys: set[JobRef] = set()
    for namespace in namespaces or (None,):
        async for page in pages(api, paths.jobs(namespace), accept=_METADATA):
            heads = (parsing.head(item) for item in page.items)
            keys.update(head.key for head in heads if head is not None)
    return frozenset(keys)


async def newest_version(api: Api, namespaces: Sequence[str]) -> int:
    """Return the API server's current resource version of the jobs; raises ApiError."""
    path = paths.jobs(namespaces[0] if namespaces else None)
    return parsing.version_of(await api.get(path, limit="1", accept=_METADATA))
