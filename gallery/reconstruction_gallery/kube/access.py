"""Access: the client of the API server, for the gallery itself and for its users."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from reconstruction_operator.kube.client import Api, UserHeaders, find_cluster
from reconstruction_operator.kube.reflector import Lines

MANAGER: Final = "reconstruction-gallery"  # the manager of the fields that users write through the gallery
_SILENCE_SECONDS: Final = 10.0
_MAX_LINE_BYTES: Final = 65_536


async def connect() -> Api:
    """Return a client of the cluster that the kubeconfig or the pod names; the caller closes it. Raises NoClusterError."""
    return Api(await find_cluster(), program=MANAGER)


async def log_lines(api: Api, path: str, params: Mapping[str, str], as_user: UserHeaders) -> AsyncIterator[bytes]:
    """Yield the lines of a log, read as the user, each truncated to 64 kB. Raises ApiError."""
    lines = Lines(_MAX_LINE_BYTES)
    async with contextlib.aclosing(api.chunks(path, params, _SILENCE_SECONDS, as_user)) as chunks:
        async for chunk in chunks:
            for line in lines.take(chunk):
                yield line
    for line in lines.end():
        yield line
