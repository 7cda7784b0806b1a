"""Listing: which jobs exist, by consistent lists of their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.client import Api
from reconstruction_operator.planning.shards import WHOLE, Shard

_PAGE: Final = 500
_NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Listing:
    """The jobs that existed at resource version `version` of the API server; 0: it named none."""

    keys: frozenset[JobKey]
    version: int


async def list_jobs(api: Api, namespaces: Sequence[str], shard: Shard = WHOLE) -> Listing:
    """Every job of the shard that exists, by consistent, paged lists (without a resource version: the newest state).

    Raises ApiError if a page failed.
    """
    found: set[JobKey] = set()
    query = {"limit": str(_PAGE)} | ({"shardSelector": shard.selector} if shard.selector else {})
    versions = []
    for namespace in namespaces or (None,):
        token = ""
        while True:
            more = {"continue": token} if token else {}
            page = await api.get(objects.collection_path(namespace), accept=_NAMES_ONLY, **query, **more)
            keys = (objects.key_of(item) for item in page.get("items") or ())
            found.update(key for key in keys if key is not None and shard.has(key.uid))
            versions.append(objects.version_of(page))
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                break
    return Listing(frozenset(found), min(versions))
