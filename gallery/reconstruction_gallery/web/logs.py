"""Route of a job's log."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconstruction_gallery.kube import logs
from reconstruction_gallery.web.parts import Gallery


async def _log(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    job = await gallery.visible_job(request, user)
    since = json.loads(job.detail)["metadata"]["creationTimestamp"]
    gallery.logs.acquire(user.name)
    try:
        found = await logs.of_job(gallery.api, user, gallery.settings.system_namespace, job.key, since)
    finally:
        gallery.logs.release(user.name)
    return JSONResponse(found.as_json)


ROUTES = [Route("/api/namespaces/{namespace}/jobs/{name}/log", _log, methods=["GET"])]
