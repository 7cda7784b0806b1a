"""Watch: watches the jobs with kopf, whose handler marks each changed job for the loop. No other module imports kopf.

An event handler costs no request and nothing for each object that exists. kopf's timers, daemons, indices and change
handlers do, so they are not used. The operator's own tasks run between `startup` and `cleanup`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, cast

import aiohttp
import kopf

from reconstruction_operator.api.identity import GROUP, PLURAL, VERSION, JobRef
from reconstruction_operator.controller.kube.feed import (
    INACTIVITY_SECONDS,
    REQUEST_SECONDS,
    WATCH_SECONDS,
    Feed,
    KubeResponse,
)
from reconstruction_operator.kube import pages
from reconstruction_operator.kube.access import ClusterAccess
from reconstruction_operator.kube.client import find_cluster

_CONNECT_SECONDS: Final = 5.0
_EXIT_SECONDS: Final = 25.0  # kopf's last resort; a pod has 30 s


class _Backoffs:
    """Endless pauses between retries: kopf ends the whole operator when they are used up."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.2, 0.5, 1.0), itertools.repeat(2.0))


async def watch(
    feed: Feed,
    *,
    namespaces: Sequence[str],
    startup: Callable[[], Awaitable[None]],
    cleanup: Callable[[], Awaitable[None]],
    stopping: asyncio.Event,
) -> None:
    """Watch until SIGTERM, SIGINT or `stopping`; empty `namespaces` means all.

    Raises an exception of kopf when the watch cannot continue: the resource was deleted, or a defect.
    """
    registry = kopf.OperatorRegistry()

    async def begin(settings: kopf.OperatorSettings, **_: Any) -> None:
        _configure(settings)
        await startup()

    async def end(**_: Any) -> None:
        await cleanup()

    async def login(**_: Any) -> kopf.AiohttpSession:
        return _session(await find_cluster(), feed)

    async def event(*, namespace: str | None, name: str, uid: str, type: str | None, **_: Any) -> None:  # noqa: A002  # kopf's name
        feed.handle(JobRef(namespace or "", name, uid), type)

    # By default kopf retries a failed startup a minute later; ours ends the process.
    kopf.on.startup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(begin)
    kopf.on.cleanup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(end)
    kopf.on.login(registry=registry)(login)
    kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(event)
    await kopf.operator(
        registry=registry,
        clusterwide=not namespaces,
        namespaces=list(namespaces),
        standalone=True,
        # For peering, which is off. Without it kopf asks for the user's name, and a container's user has none. kopf's
        # type for it is not exported.
        identity=cast(Any, GROUP),
        stop_flag=stopping,
    )


def _configure(settings: kopf.OperatorSettings) -> None:
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.queueing.idle_timeout = 0.1
    settings.watching.chunk_size = pages.PAGE  # a list request has a limit; the feed chooses it
    settings.watching.server_timeout = int(WATCH_SECONDS)
    settings.watching.inactivity_timeout = INACTIVITY_SECONDS
    settings.networking.connect_timeout = _CONNECT_SECONDS
    settings.networking.request_timeout = REQUEST_SECONDS
    settings.networking.error_backoffs = _Backoffs()
    settings.process.ultimate_exiting_timeout = _EXIT_SECONDS


def _session(access: ClusterAccess, feed: Feed) -> kopf.AiohttpSession:
    # Our own session, with the credentials of all our requests. kopf closes it, and requests another when the server
    # rejects its token.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=access.ssl_context(), limit=0),
        headers={"Authorization": authorization} if (authorization := access.authorization()) else {},
        response_class=KubeResponse,
        middlewares=[feed],
    )
    return kopf.AiohttpSession(server=access.server, aiohttp_session=session)
