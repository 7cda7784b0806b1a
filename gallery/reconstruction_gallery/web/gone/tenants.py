"""Tenants: a namespace that was deleted and created again is another tenant, who may not see what the first left."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import Any

from reconstruction_operator import config
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError

from reconstruction_gallery.kube.users import User
from reconstruction_gallery.web.parts import Gallery


async def namespace_uid(api: Api, namespace: str) -> str:
    """Return the uid of a namespace; empty if it does not exist or may not be read. Raises ApiError."""
    try:
        body: dict[str, Any] = await api.get(paths.namespace(namespace))
    except ApiError as error:
        if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise
        return ""
    return str(body["metadata"]["uid"])


async def namespace_uids(gallery: Gallery, user: User, namespaces: Collection[str]) -> dict[str, str | None]:
    """Return the uid of each namespace, as `namespace_uid`; None if names decide instead. Raises ApiError."""
    if config.settings.NAMESPACE_IDENTITY == "name":
        return dict.fromkeys(namespaces)
    ordered = sorted(namespaces)
    calls = (
        gallery.uids.get(namespace, partial(namespace_uid, gallery.api, namespace), user.client)
        for namespace in ordered
    )
    return dict(zip(ordered, await asyncio.gather(*calls), strict=True))


def is_of(tenant: str, uid: str | None) -> bool:
    """Return whether something of a tenant belongs to the namespace with that uid, as in `namespace_uids`.

    With an unknown tenant (empty) the answer is no, unless names decide.
    """
    return uid is None or (bool(uid) and tenant == uid)
