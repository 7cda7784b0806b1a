"""Job routes: the list, its changes as server-sent events, one job, its log, actions on it, and new jobs without an
upload.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.kube.errors import ApiError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconstruction_gallery.files.opened import UnreadableResultError
from reconstruction_gallery.kube import logs, writing
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.kube.rights import SEE, UPLOAD
from reconstruction_gallery.web import links
from reconstruction_gallery.web.parts import Gallery, json_of, namespace_of, requested_job, text_in
from reconstruction_gallery.web.responses import JSON_TYPE, HoldingResponse, json_response

# Longest silence of a stream: then the user's rights are checked again, and proxies see that it is alive
_QUIET_SECONDS: Final = 5.0
_GATHER_SECONDS: Final = 0.25  # debounce: changes within this time are sent in one event
_BATCH: Final = 100  # jobs in one piece of a response: a client that reads nothing holds one piece in memory


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
    return HoldingResponse(_listed(gallery.jobs, visible), gallery.streams.slot(user), 200, JSON_TYPE)


async def _listed(jobs: Jobs, visible: Collection[str]) -> AsyncGenerator[bytes, None]:
    yield b'{"jobs":['
    for number, rows in enumerate(_batches(jobs, visible)):
        yield b"," * (number > 0) + rows
    yield b"]}"


def _batches(jobs: Jobs, namespaces: Collection[str], since: int = 0) -> Iterator[bytes]:
    """Yield the rows of the namespaces' jobs that changed after a revision, without those that change meanwhile."""
    before: float = jobs.revision + 1
    while namespaces:
        rows = ((job.revision, job.summary) for job in jobs.since(since, before) if job.key.namespace in namespaces)
        if not (batch := list(islice(rows, _BATCH))):
            break
        before = batch[-1][0]
        yield b",".join(row for _, row in batch)


async def _events(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    seen = await gallery.rights.visible(user, gallery.jobs.namespaces)
    limit = gallery.streams if seen else gallery.empty_streams
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    return HoldingResponse(changes(request), limit.slot(user), 200, headers)


async def changes(request: Request) -> AsyncGenerator[bytes, None]:
    """Yield the jobs that the user may see, and then their changes, until the user loses the rights or the connection
    ends.
    """
    gallery = Gallery.of(request)
    jobs, revision = gallery.jobs, 0
    visible: frozenset[str] = frozenset()
    problems: list[dict[str, str]] = []
    while True:
        since, earlier = revision, visible
        try:
            user = (await gallery.identities.of(request)).user
            visible = await gallery.rights.visible(user, jobs.namespaces)
        except (HTTPException, ApiError):
            break
        deleted, revision = jobs.deleted(since), jobs.revision
        if deleted is None:
            break
        lost, new = earlier - visible, visible - earlier
        removed = [key.uid for key in deleted if key.namespace in earlier]
        removed += [job.key.uid for job in jobs.since(0) if job.key.namespace in lost] if lost else []
        for start in range(0, len(removed), _BATCH):
            yield b"event: removed\ndata: %s\n\n" % json.dumps(removed[start : start + _BATCH]).encode()
        for rows in chain(_batches(jobs, new), _batches(jobs, visible - new, since)):
            yield b"event: jobs\ndata: [%s]\n\n" % rows
        earlier_problems, problems = problems, _problems(gallery)
        if problems != earlier_problems:
            yield b"event: problems\ndata: %s\n\n" % json.dumps(problems).encode()
        yield b"event: synced\ndata: {}\n\n" if jobs.synced else b": waiting for the first list\n\n"
        if await jobs.changed(revision, _QUIET_SECONDS):
            await asyncio.sleep(_GATHER_SECONDS)
    yield b"event: end\ndata: {}\n\n"  # the page signs in again, or reconnects


async def _show(request: Request) -> Response:
    gallery, user, job = await requested_job(request)
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads.texts.slot(user))
        body: dict[str, Any] = {"job": json.loads(job.detail)}
        body["permissions"] = await gallery.rights.permissions(user, job.key.namespace)
        body["permissions"]["share"] = gallery.sharing.enabled
        try:
            manifest = await gallery.results.manifest(job.key, job.delivered_to)
            body["result"] = manifest and _shown(manifest)
        except UnreadableResultError as error:  # the page shows everything else
            body |= {"result": None, "unreadable": str(error)}
        return json_response(body, held.pop_all())


def _shown(manifest: Manifest) -> dict[str, Any]:
    """Return what the page and the plugin read: without the installation, the tenant and the queue."""
    job = replace(manifest.attempt.job, install_id="", namespace_uid="")
    shown = replace(manifest, attempt=replace(manifest.attempt, job=job, queue="", bare_id=""))
    content = json.loads(shown.to_text(), parse_constant=str)  # a browser reads no NaN
    return {name: value for name, value in content.items() if name not in ("uri", "version")}


async def _share(request: Request) -> Response:
    """Return the path of a new link to the job's result, for a user who may see the job."""
    gallery = Gallery.of(request)
    user = (await gallery.identities.for_change(request)).user
    job = await gallery.visible_job(request, user)
    if not gallery.sharing.enabled:
        raise HTTPException(404, "links are disabled here")
    if not job.succeeded:
        raise HTTPException(409, f"{job.key.name} has no result to share")
    if not (secret := gallery.sharing.secret()):
        raise HTTPException(
            503, "no link can be made: the gallery's secret for links is unusable. Ask an administrator"
        )
    until = int(time.time()) + gallery.settings.share_seconds
    logging.getLogger(__name__).info("%r shares the result of %s until %d", user.name, job.key, until)
    return JSONResponse({"path": f"/shared/{links.signed(secret, f'{job.key.uid}.{until}')}", "until": until}, 201)


async def _shared(request: Request) -> Response:
    """Return what a link shows: verdict and files, and nothing of spec, owner or namespace."""
    gallery, user, job = await requested_job(request)
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads_of(request).texts.slot(user))
        manifest = await gallery.results.manifest(job.key, job.delivered_to)
        row = json.loads(job.summary)
        if manifest is None:
            raise HTTPException(404, f"{job.key.name} has no result")
        shown: dict[str, Any] = {name: row[name] for name in ("name", "phase", "state", "verdict", "sentence", "size")}
        files = [{"name": file.name, "bytes": file.bytes} for file in manifest.files]
        return json_response({**shown, "files": files}, held.pop_all())


async def _log(request: Request) -> Response:
    """Return the Events and log lines of the job."""
    gallery, user, job = await requested_job(request)
    since = json.loads(job.detail)["metadata"]["creationTimestamp"]
    settings = gallery.settings
    place = Path(settings.logs_dir) if settings.logs_dir else settings.system_namespace
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.logs.slot(user))
        log = await logs.of_job(gallery.api, user, place, job.key, since)
        return json_response({"lines": list(map(asdict, log.lines)), "leftOut": log.left_out}, held.pop_all())


async def _act(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.for_change(request)).user
    body = await json_of(request)
    action = text_in(body, "action")
    uid = text_in(body, "uid")
    reason = text_in(body, "reason", "")
    if action not in (*writing.ACTIONS, writing.DELETE):
        raise HTTPException(400, f"{action!r:.60} is not an action: use {', '.join(writing.ACTIONS)}, {writing.DELETE}")
    job = await gallery.visible_job(request, user)
    if job.key.uid != uid:
        raise HTTPException(409, f"{job.key.name} was deleted and created again: reload the page")
    if action == writing.DELETE:
        await writing.delete(gallery.api, user, job.key)
    else:
        await writing.act(gallery.api, user, job.key, action, reason)
    return Response(status_code=204)


async def _create(request: Request) -> Response:
    """Create a job for photos that the workers can read, or only have the API server check it (`dryRun`)."""
    gallery = Gallery.of(request)
    user = (await gallery.identities.for_change(request)).user
    namespace = namespace_of(request)
    await gallery.require(user, UPLOAD, namespace)
    body = await json_of(request)
    name = text_in(body, "name")
    spec = body.get("spec")
    dry_run = body.get("dryRun") is True
    if not isinstance(spec, dict):
        raise HTTPException(400, "spec is missing, or not an object")
    uid = await writing.create(gallery.api, user, namespace, name, spec, dry_run=dry_run)
    return JSONResponse({"namespace": namespace, "name": name, "uid": uid}, 200 if dry_run else 201)


async def _installation(request: Request) -> Response:
    """Return what the operators of the system's namespace publish for every user: models, their parameters, queues; and
    problems.
    """
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads.texts.slot(user))
        return json_response({"installations": gallery.health.texts, "problems": _problems(gallery)}, held.pop_all())


def _problems(gallery: Gallery) -> list[dict[str, str]]:
    return [{"code": one.code, "sentence": one.sentence, "cure": one.cure} for one in gallery.health.problems]


_NAMESPACE = "/api/namespaces/{namespace}"
_JOB = _NAMESPACE + "/jobs/{name}"
ROUTES = [
    Route("/api/jobs", _list, methods=["GET"]),
    Route("/api/events", _events, methods=["GET"]),
    Route("/api/installation", _installation, methods=["GET"]),
    Route(_NAMESPACE + "/jobs", _list, methods=["GET"]),
    Route(_NAMESPACE + "/jobs", _create, methods=["POST"]),
    Route(_JOB, _show, methods=["GET"]),
    Route(_JOB + "/log", _log, methods=["GET"]),
    Route(_JOB + "/share", _share, methods=["POST"]),
    Route("/api/shared/{token}", _shared, methods=["GET"]),
    Route(_JOB + "/actions", _act, methods=["POST"]),
]
