"""Routes of results: a file of a job, whole or a range of it."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from reconstruction_gallery.files.results import NoResultError, OpenFile, open_file
from reconstruction_gallery.web.parts import Gallery
from reconstruction_gallery.web.security import FILE_POLICY

_CHUNK_BYTES: Final = 1 << 18
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Types that the page shows; all others are downloads, whatever they contain.
_SHOWN: Final = {
    ".glb": "model/gltf-binary",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".log": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}


async def _file(request: Request) -> Response:
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    job = await gallery.visible_job(request, user)
    name = request.path_params["path"]
    try:
        opened = await anyio.to_thread.run_sync(open_file, job.key.job_id, name)
    except NoResultError as error:
        raise HTTPException(404, f"the result has no file {name!r:.200}") from error
    try:
        return _answer(request, opened, name)
    except BaseException:
        os.close(opened.descriptor)
        raise


def _answer(request: Request, opened: OpenFile, name: str) -> Response:
    size, tag = opened.sealed.bytes, f'"{opened.sealed.sha256}"'
    path = PurePosixPath(name)
    shown = _SHOWN.get(path.suffix.lower())
    disposition = "inline" if shown and "download" not in request.query_params else "attachment"
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",  # kept, and asked for again each time: rights may have ended
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(path.name, safe='')}",
        "Content-Security-Policy": FILE_POLICY,
        "Content-Type": shown or "application/octet-stream",
        "ETag": tag,
    }
    if tag in request.headers.get("If-None-Match", ""):
        os.close(opened.descriptor)
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("Range") if request.headers.get("If-Range", tag) == tag else None
    start, end = _range(wanted, size)
    if start >= end > 0 or (start > 0 and start >= size):
        raise HTTPException(416, "the file does not have this range", {"Content-Range": f"bytes */{size}"})
    status = 200
    if (start, end) != (0, size):
        status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    return _FileResponse(opened.descriptor, start, end, status, headers)


class _FileResponse(StreamingResponse):
    """A part of an open file, which is closed however the response ends: also when the client leaves."""

    def __init__(self, descriptor: int, start: int, end: int, status: int, headers: dict[str, str]) -> None:
        super().__init__(_content(descriptor, start, end), status, headers)
        self._descriptor = descriptor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._descriptor)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """First byte, and the one after the last. What is no single range is ignored, as RFC 9110 allows."""
    found = _RANGE.fullmatch(header or "")
    if not found or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size if int(last) else 0
    return int(first), min(size, int(last) + 1) if last else size


async def _content(descriptor: int, start: int, end: int) -> AsyncIterator[bytes]:
    while start < end:
        chunk = await anyio.to_thread.run_sync(os.pread, descriptor, min(_CHUNK_BYTES, end - start), start)
        if not chunk:  # it was cut off: the client sees a length that does not fit
            return
        start += len(chunk)
        yield chunk


ROUTES = [Route("/api/namespaces/{namespace}/jobs/{name}/files/{path:path}", _file, methods=["GET"])]
