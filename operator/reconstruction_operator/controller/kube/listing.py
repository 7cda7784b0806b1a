"""Listing: consistent, paged lists of the jobs, of whole objects or of their metadata alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.kube import answers, bodies, objects
from reconstruction_operator.controller.kube.client import Api, ApiError
from reconstruction_operator.planning.times import backoff

UNFINISHED: Final = ",".join(f"status.phase!={phase}" for phase in Phase if phase.finished)
"""Field selector of the jobs that are not finished. CRDs of older versions have no such field."""
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_BACKOFF_SECONDS: Final = 0.2  # before the next try of a page; doubles
_BACKOFF_MAX_SECONDS: Final = 2.0


async def pages(api: Api, path: str, *, tries: int = 1, **params: str) -> AsyncIterator[bodies.Page]:
    """Yield the pages of a list of the jobs below a path, in their newest state (no resource version is sent).

    Raises ApiError if all tries of a page failed.
    """
    query = {"limit": str(answers.PAGE), **params}
    token = ""
    while True:
        page = await _page(api, path, query | ({"continue": token} if token else {}), tries)
        yield page
        token = page.token
        if not token:
            return


async def _page(api: Api, path: str, query: Mapping[str, str], tries: int) -> bodies.Page:
    failures = 0
    while True:
        try:
            return await api.get_page(path, **query)
        except ApiError as error:
            failures += 1
            if failures >= tries or not error.transient:
                raise
            pause = backoff(failures, _BACKOFF_SECONDS, _BACKOFF_MAX_SECONDS)
            await asyncio.sleep(max(error.retry_after_seconds or 0.0, pause))


async def list_jobs(api: Api, namespaces: Sequence[str]) -> frozenset[JobKey]:
    """List the existing jobs. Raises ApiError if a page failed."""
    found: set[JobKey] = set()
    for namespace in namespaces or (None,):
        async for page in pages(api, objects.collection_path(namespace), accept=_METADATA):
            heads = (bodies.head(item) for item in page.items)
            found.update(head.key for head in heads if head is not None)
    return frozenset(found)


async def newest_version(api: Api, namespaces: Sequence[str]) -> int:
    """Return the API server's current resource version of the jobs; raises ApiError."""
    path = objects.collection_path(namespaces[0] if namespaces else None)
    return (await api.get_page(path, limit="1", accept=_METADATA)).version
