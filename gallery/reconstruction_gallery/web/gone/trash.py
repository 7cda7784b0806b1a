"""Trash route: deleted jobs whose results can be taken over, from the trash on the volume."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import chain
from typing import Final

import anyio.to_thread
from reconstruction_operator.jobfiles import trash, trashed
from reconstruction_operator.jobfiles.trashed import Trashed
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.web.gone.tenants import namespace_uids
from reconstruction_gallery.web.parts import Gallery
from reconstruction_gallery.web.responses import JSON_TYPE, HoldingResponse

_MOST_SHOWN: Final = 200  # results


async def _trash(request: Request) -> Response:
    """Return jobs that take over the results of deleted jobs, in namespaces whose jobs the user may see.

    Only the trash of these namespaces is listed, and of it only the results that expire last are read. Results of an
    earlier namespace of the same name are another tenant's.
    """
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads.texts.slot(user))
        tenants = await gallery.tenants.get("", lambda: anyio.to_thread.run_sync(trashed.tenants), user.client)
        visible = await gallery.rights.visible(user, frozenset(tenants))
        lists = (gallery.trash.get(name, partial(_newest, name), user.client) for name in visible)
        newest = trashed.newest(chain.from_iterable(await asyncio.gather(*lists)), _MOST_SHOWN)
        uids = await namespace_uids(gallery, user, {kept.tenant for kept in newest})
        return HoldingResponse(_listed(gallery.jobs, newest, uids), held.pop_all(), 200, JSON_TYPE)


async def _newest(namespace: str) -> list[Trashed]:
    return await anyio.to_thread.run_sync(lambda: trashed.newest(trashed.of_namespace(namespace), _MOST_SHOWN))


async def _listed(jobs: Jobs, newest: Sequence[Trashed], uids: Mapping[str, str | None]) -> AsyncGenerator[bytes, None]:
    """Yield one job at a time: a client that reads nothing holds one in memory."""
    yield b'{"jobs":['
    separator = b""
    for kept in newest:
        result = await anyio.to_thread.run_sync(trash.restorable, kept)
        if result and result.is_of(uids.get(result.namespace, "")) and jobs.get(result.namespace, result.name) is None:
            yield separator + json.dumps(result.job).encode()
            separator = b","
    yield b"]}"


ROUTES = [Route("/api/trash", _trash, methods=["GET"])]
