"""Application: connects the parts, watches jobs, and deletes uploads that no job references."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio.to_thread
from reconstruction_operator.contract import info
from reconstruction_operator.kube.client import Api, find_cluster
from reconstruction_operator.kube.errors import ApiError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from reconstruction_gallery.files.history import History
from reconstruction_gallery.files.opened import UnreadableResultError
from reconstruction_gallery.files.results import Results
from reconstruction_gallery.files.uploads import UploadError, Uploads
from reconstruction_gallery.kube.health import Health
from reconstruction_gallery.kube.jobs import Jobs, watch
from reconstruction_gallery.kube.rights import Rights
from reconstruction_gallery.kube.users import BoundTokenError, Tokens
from reconstruction_gallery.kube.writing import MANAGER
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web import advice, archives, files, jobs, parts, probes, sign_in, uploading
from reconstruction_gallery.web.gone import history, trash
from reconstruction_gallery.web.identity import Identities
from reconstruction_gallery.web.limits import Limited
from reconstruction_gallery.web.links import Sharing
from reconstruction_gallery.web.security import SecurityHeaders
from reconstruction_gallery.web.sessions import Sessions

_log = logging.getLogger(__name__)

_STATIC: Final = Path(__file__).parent / "static"
_CLEANING_SECONDS: Final = 600.0


def make(settings: Settings) -> Starlette:
    """Return the ASGI application. Raises SettingsError."""
    settings.proxy_secret  # noqa: B018  # an unreadable one must fail at startup, not at the first request

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        api = Api(await find_cluster(), program=MANAGER)
        cache = Jobs()
        uploads = Uploads(settings) if settings.uploads_dir else None
        if uploads is not None:
            await anyio.to_thread.run_sync(uploads.load)
        ended = History(Path(settings.history_dir), settings.history_seconds) if settings.history_dir else None
        if ended is not None:
            await anyio.to_thread.run_sync(ended.load)
        identities = Identities(
            settings,
            Tokens(api, settings.access_seconds, info.audience(settings.system_namespace)),
            Sessions(settings.session_seconds),
        )
        results = Results(settings.access_seconds)
        rights = Rights(api, settings.access_seconds)
        health = Health(settings.system_namespace)
        app.state.gallery = parts.Gallery(
            settings, api, cache, rights, identities, results, health, Sharing(settings), uploads, ended
        )
        tasks = [asyncio.create_task(watch(api, cache, settings.namespaces)), asyncio.create_task(health.follow(api))]
        if uploads is not None:
            tasks.append(asyncio.create_task(_clean(uploads, cache)))
        if ended is not None:
            tasks.append(asyncio.create_task(history.follow(api, cache, ended)))

        def healthy() -> str:
            return "the watch has ended" if tasks[0].done() else ""

        def ready() -> str:
            return "" if cache.synced else "no list of jobs yet: is the CRD installed?"

        try:
            async with probes.serving(settings, healthy, ready):
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await api.close()

    return Starlette(
        routes=[
            Route("/", _page),
            Route("/jobs/{namespace}/{name}", _page),
            Route("/new", _page),
            Route("/history", _page),
            Route("/shared/{token}", _page),
            *sign_in.ROUTES,
            *files.ROUTES,
            *archives.ROUTES,
            *advice.ROUTES,
            *jobs.ROUTES,
            *trash.ROUTES,
            *history.ROUTES,
            *uploading.ROUTES,
            Mount("/static", Limited(StaticFiles(directory=_STATIC))),
            Route("/{path:path}", _missing, methods=["DELETE", "GET", "PATCH", "POST", "PUT"]),
        ],
        middleware=[Middleware(SecurityHeaders, secure=settings.secure)],
        exception_handlers=dict.fromkeys(
            (HTTPException, UnreadableResultError, UploadError, BoundTokenError, ApiError), parts.on_error
        ),
        lifespan=lifespan,
    )


async def _page(_request: Request) -> Response:
    return FileResponse(_STATIC / "index.html")


async def _missing(request: Request) -> Response:
    if request.method not in ("GET", "HEAD") or request.url.path.startswith("/api/"):
        raise HTTPException(404)
    return FileResponse(_STATIC / "index.html", 404)


async def _clean(uploads: Uploads, cache: Jobs) -> None:
    while True:
        await asyncio.sleep(_CLEANING_SECONDS)
        if not cache.synced:  # a job that is not listed yet may reference any upload
            continue
        for upload in uploads.expired(cache.input_uris):
            try:
                await anyio.to_thread.run_sync(uploads.discard, upload)
                _log.info("Deleted upload %s in %s: no job references it", upload.id, upload.namespace)
            except OSError as error:
                _log.warning("Could not delete upload %s: %s", upload.id, error)
