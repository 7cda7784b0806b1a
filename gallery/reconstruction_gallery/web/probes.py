"""Probes on a port of their own, which the connections of clients cannot fill: the watch runs, and
all jobs are listed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web.connections import BACKLOG, ProbeConnection


@asynccontextmanager
async def serving(settings: Settings, healthy: Callable[[], str], ready: Callable[[], str]) -> AsyncIterator[None]:
    """Serve `/healthz` and `/readyz` within the block. The functions return what is wrong; empty: nothing."""
    routes = [_route("/healthz", healthy), _route("/readyz", ready)]
    config = uvicorn.Config(
        Starlette(routes=routes),
        http=ProbeConnection,
        ws="none",
        backlog=BACKLOG,
        host=settings.host,
        port=settings.probe_port,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


def _route(path: str, wrong: Callable[[], str]) -> Route:
    async def answer(_request: Request) -> Response:
        problem = wrong()
        return PlainTextResponse(problem or "ok", 503 if problem else 200)

    return Route(path, answer)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the server of the gallery, which ends this one."""
        yield
