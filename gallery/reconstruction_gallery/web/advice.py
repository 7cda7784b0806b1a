"""Advice routes: why a job is as it is, and how long each quality would take for some photos."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconstruction_gallery.files import estimating
from reconstruction_gallery.kube import explaining
from reconstruction_gallery.kube.rights import CHANGE
from reconstruction_gallery.web.parts import Gallery, requested_job
from reconstruction_gallery.web.responses import json_response

_MOST_PHOTOS: Final = 100_000
_MAX_BYTES: Final = 65_536  # of a job that is parsed: only a hostile one is larger


async def _why(request: Request) -> Response:
    """Return what `kubectl recon why` says, for the user."""
    gallery, user, job = await requested_job(request)
    may_change = not user.bound and await gallery.rights.may(user, CHANGE, job.key.namespace)
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads.texts.slot(user))
        answer = await explaining.answer(gallery.api, gallery.health, user, job, may_change=may_change)
        return json_response(answer, held.pop_all())


async def _estimates(request: Request) -> Response:
    """Return what each quality of photogrammetry gives, and how long it would take.

    The speed is the median of all recent jobs of the queue, also those of other namespaces; the answer contains nothing
    else of these.
    """
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    photos = request.query_params.get("photos", "")
    if not photos.isascii() or not photos.isdecimal() or not 0 < int(photos[:9]) <= _MOST_PHOTOS:
        raise HTTPException(400, f"photos must be a number from 1 to {_MOST_PHOTOS}")
    async with gallery.downloads.texts.slot(user):
        done = (job.detail for job in gallery.jobs.since(0) if job.succeeded and len(job.detail) <= _MAX_BYTES)
        qualities = estimating.qualities(done, request.query_params.get("queue", "celery"), int(photos))
        return JSONResponse({"qualities": qualities})


ROUTES = [
    Route("/api/namespaces/{namespace}/jobs/{name}/why", _why, methods=["GET"]),
    Route("/api/estimates", _estimates, methods=["GET"]),
]
