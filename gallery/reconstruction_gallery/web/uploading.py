"""Upload routes: start an upload, send each photo as the body of a PUT, list them to continue, create the job as the
user, or discard.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, Final

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconstruction_gallery.files import checking
from reconstruction_gallery.files.uploads import Owner, Upload, Uploads
from reconstruction_gallery.kube import writing
from reconstruction_gallery.kube.rights import UPLOAD
from reconstruction_gallery.kube.users import User
from reconstruction_gallery.web.parts import Gallery, chunks, json_of, namespace_of, text_in
from reconstruction_gallery.web.responses import json_response

_SPEC: Final = {"modelType", "parameters", "queue", "priority", "output", "backoffLimit", "ttlSecondsAfterFinished"}


async def _begin(request: Request) -> Response:
    gallery, uploads, user, namespace = await _allowed(request)
    upload = await anyio.to_thread.run_sync(uploads.begin, _owner(user), namespace, gallery.jobs.input_uris)
    return JSONResponse({"id": upload.id, "uri": uploads.uri(upload)}, 201)


async def _show(request: Request) -> Response:
    gallery, uploads, user, namespace = await _allowed(request)
    upload = _found(request, gallery, uploads, user, namespace)
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads.texts.slot(user))
        complete = {name: size for name, size in upload.sizes.items() if name not in upload.under_way}
        return json_response({"id": upload.id, "photos": complete}, held.pop_all())


async def _photo(request: Request) -> Response:
    gallery, uploads, user, namespace = await _allowed(request)
    upload, photo = _found(request, gallery, uploads, user, namespace), request.path_params["photo"]
    with uploads.receive(upload, photo) as receiver:
        async for chunk in chunks(request):
            if upload.closed:
                raise HTTPException(409, "this upload was discarded")
            await anyio.to_thread.run_sync(receiver.write, chunk)
        await anyio.to_thread.run_sync(receiver.finish)
    return JSONResponse({"bytes": upload.sizes[photo]}, 201)


async def _check(request: Request) -> Response:
    """Return what is wrong with the photos: level (`error`: the job would fail, `warning`, `note`) and text."""
    gallery, uploads, user, namespace = await _allowed(request)
    upload = _found(request, gallery, uploads, user, namespace)
    begun = False
    try:
        async with gallery.checks.slot(user):
            begun = True
            findings = await checking.findings(uploads.photos(upload))
    except (OSError, HTTPException) as error:
        if not begun:
            raise
        raise HTTPException(503, "the photos could not be checked in time") from error
    return JSONResponse({"findings": findings})


async def _submit(request: Request) -> Response:
    gallery, uploads, user, namespace = await _allowed(request)
    upload = _found(request, gallery, uploads, user, namespace)
    body = await json_of(request)
    name = text_in(body, "name")
    fields = body.get("spec", {})
    if not isinstance(fields, dict) or fields.keys() - _SPEC:
        raise HTTPException(400, f"spec may have {', '.join(sorted(_SPEC))}")
    spec: dict[str, Any] = {**fields, "input": {"uri": uploads.uri(upload)}}
    uploads.close(upload)
    try:
        uid = await writing.create(gallery.api, user, namespace, name, spec)
    except BaseException:
        upload.closed = False  # the user may submit again, under another name
        raise
    return JSONResponse({"namespace": namespace, "name": name, "uid": uid}, 201)


async def _discard(request: Request) -> Response:
    gallery, uploads, user, namespace = await _allowed(request)
    upload = _found(request, gallery, uploads, user, namespace)
    if upload.under_way:
        raise HTTPException(409, "photos are still being uploaded")
    await anyio.to_thread.run_sync(uploads.discard, upload)
    return Response(status_code=204)


async def _allowed(request: Request) -> tuple[Gallery, Uploads, User, str]:
    """Return what all upload routes need. Raises 401, 403, 404 if uploads are disabled, and ApiError."""
    gallery = Gallery.of(request)
    identity = gallery.identities.of if request.method == "GET" else gallery.identities.for_change
    user = (await identity(request)).user
    if gallery.uploads is None:
        raise HTTPException(404, "uploads are disabled here")
    namespace = namespace_of(request)
    await gallery.require(user, UPLOAD, namespace)
    watched = gallery.settings.namespaces
    if watched and namespace not in watched:
        raise HTTPException(403, f"the gallery does not watch {namespace}")
    return gallery, gallery.uploads, user, namespace


def _found(request: Request, gallery: Gallery, uploads: Uploads, user: User, namespace: str) -> Upload:
    return uploads.find(_owner(user), namespace, request.path_params["upload"], gallery.jobs.input_uris)


def _owner(user: User) -> Owner:
    return Owner.of(user.name, user.client)


_UPLOADS = "/api/namespaces/{namespace}/uploads"
_UPLOAD = _UPLOADS + "/{upload}"
ROUTES = [
    Route(_UPLOADS, _begin, methods=["POST"]),
    Route(_UPLOAD, _show, methods=["GET"]),
    Route(_UPLOAD, _discard, methods=["DELETE"]),
    Route(_UPLOAD + "/photos/{photo}", _photo, methods=["PUT"]),
    Route(_UPLOAD + "/check", _check, methods=["GET"]),
    Route(_UPLOAD + "/job", _submit, methods=["POST"]),
]
