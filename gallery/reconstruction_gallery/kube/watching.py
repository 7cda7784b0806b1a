"""Watch: keeps the job cache up to date, for each namespace or for all. The gallery's account may only get, list and watch jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from reconstruction_operator.kube import paths
from reconstruction_operator.kube.reflector import AsyncTransport, Change, Reflector, follow_async

from reconstruction_gallery.kube.jobs import Jobs


async def watch(api: AsyncTransport, jobs: Jobs, namespaces: Sequence[str]) -> None:
    """Watch until the task is cancelled. `namespaces`: empty for all."""
    unlisted: set[str | None] = set(namespaces) or {None}

    def apply(namespace: str | None, change: Change) -> None:
        if change.key is None:
            unlisted.discard(namespace)
            jobs.synced = not unlisted
        elif change.deleted:
            jobs.delete(change.key.uid)
        elif change.body is not None:
            jobs.put(change.body)

    async with asyncio.TaskGroup() as group:
        for namespace in tuple(unlisted):
            group.create_task(follow_async(api, Reflector(paths.jobs(namespace), partial(apply, namespace))))
