"""Trash route: deleted jobs whose results can be taken over, from the trash on the volume."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import anyio.to_thread
from reconstruction_operator import config
from reconstruction_operator.jobfiles import trash, trashed
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.errors import ApiError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconstruction_gallery.kube.users import User
from reconstruction_gallery.web.parts import Gallery

_MOST_SHOWN: Final = 200  # results


async def _trash(request: Request) -> Response:
    """Return jobs that take over the results of deleted jobs, in namespaces whose jobs the user may see.

    Only the trash of these namespaces is read, and of it only the results that expire last. Results of an earlier
    namespace of the same name are another tenant's.
    """
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    tenants = await gallery.tenants.get("", lambda: anyio.to_thread.run_sync(trashed.tenants), user.client)
    visible = await gallery.rights.visible(user, frozenset(tenants))
    read = partial(anyio.to_thread.run_sync, trash.restorable, visible, _MOST_SHOWN)
    restorable = await gallery.trash.get(visible, read, user.client)
    uids = await _uids(gallery, user, {result.namespace for result in restorable})
    shown = [
        result.job
        for result in restorable
        if result.is_of(uids[result.namespace]) and gallery.jobs.get(result.namespace, result.name) is None
    ]
    return Response(json.dumps({"jobs": shown}), media_type="application/json")


async def _uids(gallery: Gallery, user: User, namespaces: Collection[str]) -> dict[str, str | None]:
    """Return the uid of each namespace: empty if it may not be read, None if names decide instead. Raises ApiError."""
    if config.settings.NAMESPACE_IDENTITY == "name":
        return dict.fromkeys(namespaces)

    async def read(namespace: str) -> str:
        try:
            body: dict[str, Any] = await gallery.api.get(paths.namespace(namespace))
        except ApiError as error:
            if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                raise
            return ""
        return str(body["metadata"]["uid"])

    ordered = sorted(namespaces)
    calls = (gallery.uids.get(namespace, partial(read, namespace), user.client) for namespace in ordered)
    return dict(zip(ordered, await asyncio.gather(*calls), strict=True))


ROUTES = [Route("/api/trash", _trash, methods=["GET"])]
