"""Log route: the Events and log lines of one job."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconstruction_gallery.kube import logs
from reconstruction_gallery.web.parts import requested_job


async def _log(request: Request) -> Response:
    gallery, user, job = await requested_job(request)
    since = json.loads(job.detail)["metadata"]["creationTimestamp"]
    gallery.logs.acquire(user.name)
    try:
        found = await logs.of_job(gallery.api, user, gallery.settings.system_namespace, job.key, since)
    finally:
        gallery.logs.release(user.name)
    return JSONResponse(found.as_json)


ROUTES = [Route("/api/namespaces/{namespace}/jobs/{name}/log", _log, methods=["GET"])]
