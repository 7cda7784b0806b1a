"""Job routes: the list, its changes as server-sent events, one job, its log, and actions on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import asdict
from functools import partial
from typing import Final

from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.kube.errors import ApiError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconstruction_gallery.files.opened import UnreadableResultError
from reconstruction_gallery.kube import logs, writing
from reconstruction_gallery.kube.rights import SEE
from reconstruction_gallery.kube.users import User
from reconstruction_gallery.web.parts import Gallery, json_of, namespace_of, requested_job, text_in
from reconstruction_gallery.web.responses import HoldingResponse

# Longest silence of a stream: then the user's rights are checked again, and proxies see that it is alive
_QUIET_SECONDS: Final = 10.0
_GATHER_SECONDS: Final = 0.25  # debounce: changes within this time are sent in one event
_BATCH: Final = 500  # jobs in one event


async def _list(request: Request) -> Response:
    """Return the summaries of the jobs of one namespace, or of all jobs that the user may see."""
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    if "namespace" in request.path_params:
        chosen = namespace_of(request)
        await gallery.require(user, SEE, chosen)
        visible = frozenset({chosen})
    else:
        visible = await gallery.rights.visible(user, gallery.jobs.namespaces)
    rows = [job.summary for job in gallery.jobs.since(0) if job.key.namespace in visible]
    return Response(b'{"jobs":[%s]}' % b",".join(rows), media_type="application/json")


async def _events(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    gallery.streams.acquire(user.name)
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    return HoldingResponse(_changes(request, user), partial(gallery.streams.release, user.name), 200, headers)


async def _changes(request: Request, user: User) -> AsyncGenerator[bytes, None]:
    """Yield the jobs that the user may see, and then their changes, until the user loses the rights or the connection ends."""
    gallery = Gallery.of(request)
    jobs, sent, deletions = gallery.jobs, dict[str, str](), -1
    visible: frozenset[str] = frozenset()
    revision = -1
    while True:
        try:
            user = (await gallery.identities.of(request)).user
            now_visible = await gallery.rights.visible(user, set(jobs.namespaces) | visible)
        except (HTTPException, ApiError):
            yield b"event: end\ndata: {}\n\n"  # the page signs in again, or reconnects
            return
        since = revision if now_visible <= visible else -1  # a newly visible namespace: its jobs were not sent yet
        revision, visible = jobs.revision, now_visible
        changed = [job for job in jobs.since(since) if job.key.namespace in visible]
        sent.update((job.key.uid, job.key.namespace) for job in changed)
        removed = [uid for uid, namespace in sent.items() if namespace not in visible]
        if jobs.deletions != deletions:
            deletions = jobs.deletions
            removed = [uid for uid, namespace in sent.items() if namespace not in visible or not jobs.has(uid)]
        for uid in removed:
            del sent[uid]
        for start in range(0, len(changed), _BATCH):
            rows = b",".join(job.summary for job in changed[start : start + _BATCH])
            yield b"event: jobs\ndata: [%s]\n\n" % rows
        if removed:
            yield b"event: removed\ndata: %s\n\n" % json.dumps(removed).encode()
        yield b"event: synced\ndata: {}\n\n" if jobs.synced else b": waiting for the first list\n\n"
        if await jobs.changed(revision, _QUIET_SECONDS):
            await asyncio.sleep(_GATHER_SECONDS)


async def _show(request: Request) -> Response:
    gallery, user, job = await requested_job(request)
    permissions = await gallery.rights.permissions(user, job.key.namespace)
    body = {"job": json.loads(job.detail), "permissions": asdict(permissions)}
    try:
        body["result"] = _shown(await gallery.results.manifest(job.key, job.delivered_to))
    except UnreadableResultError as error:  # the page shows everything else
        body |= {"result": None, "unreadable": str(error)}
    return JSONResponse(body)


def _shown(manifest: Manifest | None) -> object:
    if manifest is None:
        return None
    content = json.loads(manifest.to_text())
    return {name: value for name, value in content.items() if name not in ("owner", "uri", "taskId", "version")}


async def _log(request: Request) -> Response:
    """Return the Events and log lines of the job."""
    gallery, user, job = await requested_job(request)
    since = json.loads(job.detail)["metadata"]["creationTimestamp"]
    gallery.logs.acquire(user.name)
    try:
        log = await logs.of_job(gallery.api, user, gallery.settings.system_namespace, job.key, since)
    finally:
        gallery.logs.release(user.name)
    return JSONResponse(log.as_json)


async def _act(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.for_change(request)).user
    body = await json_of(request)
    action, uid = text_in(body, "action"), text_in(body, "uid")
    reason = text_in(body, "reason", "")
    if action not in writing.ACTIONS:
        raise HTTPException(400, f"{action!r:.60} is not an action: use {', '.join(writing.ACTIONS)}")
    job = await gallery.visible_job(request, user)
    if job.key.uid != uid:
        raise HTTPException(409, f"{job.key.name} was deleted and created again: reload the page")
    await writing.act(gallery.api, user, job.key, action, reason)
    return Response(status_code=204)


_NAMESPACE = "/api/namespaces/{namespace}"
_JOB = _NAMESPACE + "/jobs/{name}"
ROUTES = [
    Route("/api/jobs", _list, methods=["GET"]),
    Route("/api/events", _events, methods=["GET"]),
    Route(_NAMESPACE + "/jobs", _list, methods=["GET"]),
    Route(_JOB, _show, methods=["GET"]),
    Route(_JOB + "/log", _log, methods=["GET"]),
    Route(_JOB + "/actions", _act, methods=["POST"]),
]
