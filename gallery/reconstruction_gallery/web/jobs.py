"""Routes of jobs: the list, its changes as server-sent events, one job, and what users do with it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import anyio.to_thread
from reconstruction_operator.contract.manifest import Manifest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from reconstruction_gallery.files import results
from reconstruction_gallery.kube import writing
from reconstruction_gallery.kube.access import ApiError
from reconstruction_gallery.kube.rights import SEE
from reconstruction_gallery.kube.users import User
from reconstruction_gallery.web.names import namespace_of
from reconstruction_gallery.web.parts import Gallery, json_of, text_in

_QUIET_SECONDS: Final = (
    10.0  # a stream without changes: the user's rights are looked at again, and proxies see it alive
)
_GATHER_SECONDS: Final = 0.25  # changes within it make one event
_BATCH: Final = 500  # jobs in one event
_STREAMS_OF_A_USER: Final = 20
_STREAMS: Final = 1000


async def _list(request: Request) -> Response:
    """Summaries of the jobs of one namespace, or of all that the user may see."""
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
    streams: Counter[str] = request.app.state.streams
    if streams[user.name] >= _STREAMS_OF_A_USER or streams.total() >= _STREAMS:
        raise HTTPException(429, "too many pages are open: close some")
    return StreamingResponse(
        _changes(request, user), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _changes(request: Request, user: User) -> AsyncIterator[bytes]:
    """The jobs that the user may see, and then what changes of them, until the user's rights or the connection end."""
    gallery, streams = Gallery.of(request), request.app.state.streams
    jobs, shown, seen_deletions = gallery.jobs, dict[str, str](), -1
    visible: frozenset[str] = frozenset()
    revision = -1
    streams[user.name] += 1
    try:
        while True:
            try:
                user = (await gallery.identities.of(request)).user
                now_visible = await gallery.rights.visible(user, set(jobs.namespaces) | visible)
            except (HTTPException, ApiError):
                yield b"event: end\ndata: {}\n\n"  # the page signs in again, or comes back
                return
            since = revision if now_visible <= visible else -1  # jobs of a namespace that is new to the user are old
            revision, visible = jobs.revision, now_visible
            changed = [job for job in jobs.since(since) if job.key.namespace in visible]
            shown.update((job.key.uid, job.key.namespace) for job in changed)
            removed = [uid for uid, namespace in shown.items() if namespace not in visible]
            if jobs.deletions != seen_deletions:
                seen_deletions = jobs.deletions
                removed = [uid for uid, namespace in shown.items() if namespace not in visible or not jobs.has(uid)]
            for uid in removed:
                del shown[uid]
            for start in range(0, len(changed), _BATCH):
                rows = b",".join(job.summary for job in changed[start : start + _BATCH])
                yield b"event: jobs\ndata: [%s]\n\n" % rows
            if removed:
                yield b"event: removed\ndata: %s\n\n" % json.dumps(removed).encode()
            yield b"event: synced\ndata: {}\n\n" if jobs.synced else b": waiting for the first list\n\n"
            if await jobs.changed(revision, _QUIET_SECONDS):
                await asyncio.sleep(_GATHER_SECONDS)
    finally:
        streams[user.name] -= 1
        if not streams[user.name]:
            del streams[user.name]


async def _show(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    job = await gallery.visible_job(request, user)
    permissions = await gallery.rights.permissions(user, job.key.namespace)
    manifest = await anyio.to_thread.run_sync(results.manifest_of, job.key.job_id)
    body = {"job": json.loads(job.detail), "permissions": permissions.as_json, "result": _shown(manifest)}
    return JSONResponse(body)


def _shown(manifest: Manifest | None) -> object:
    if manifest is None:
        return None
    content = json.loads(manifest.to_text())
    return {name: value for name, value in content.items() if name not in ("owner", "uri", "taskId", "version")}


async def _act(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.for_change(request)).user
    body = await json_of(request)
    action, uid = text_in(body, "action"), text_in(body, "uid")
    if action not in writing.ACTIONS:
        raise HTTPException(400, f"{action!r:.60} is no action: choose from {', '.join(writing.ACTIONS)}")
    job = await gallery.visible_job(request, user)
    if job.key.uid != uid:
        raise HTTPException(409, f"{job.key.name} is another job now: load the page again")
    await writing.act(gallery.api, user, job.key, action)
    return Response(status_code=204)


_NAMESPACE = "/api/namespaces/{namespace}"
_JOB = _NAMESPACE + "/jobs/{name}"
ROUTES = [
    Route("/api/jobs", _list, methods=["GET"]),
    Route("/api/events", _events, methods=["GET"]),
    Route(_NAMESPACE + "/jobs", _list, methods=["GET"]),
    Route(_JOB, _show, methods=["GET"]),
    Route(_JOB + "/actions", _act, methods=["POST"]),
]
