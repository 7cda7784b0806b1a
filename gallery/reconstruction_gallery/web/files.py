"""File routes: a file of a job's result, whole or a range of it; small pictures of its photos, and of the first."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

import anyio.to_thread
from reconstruction_operator.contract.manifest import local_names
from reconstruction_operator.jobfiles.layout import EARLY_LOOK
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconstruction_gallery.files.buckets import ObjectFile
from reconstruction_gallery.files.opened import NoResultError
from reconstruction_gallery.files.volume import VolumeFile
from reconstruction_gallery.web.parts import requested_job
from reconstruction_gallery.web.responses import HoldingResponse
from reconstruction_gallery.web.security import FILE_POLICY, REPORT_HEADERS

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_REPORT: Final = "report.html"
# Types that a browser shows; files of other types are downloads.
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
    gallery, user, job = await requested_job(request)
    name = request.path_params["path"]
    try:
        async with AsyncExitStack() as held:
            await held.enter_async_context(gallery.downloads_of(request).files.slot(user))
            opened = await gallery.results.open(job.key, job.delivered_to, name)
            held.callback(opened.close)
            return await _answer(request, job.key.name, opened, held)
    except NoResultError as error:
        if name == EARLY_LOOK:  # not yet
            return Response(status_code=204)
        raise HTTPException(404, f"the result has no file {name!r:.200}") from error


async def _sheet(request: Request) -> Response:
    """Return small pictures of the photos of an upload; 204 if there are none, as for photos from elsewhere."""
    gallery, user, job = await requested_job(request)
    find = gallery.uploads.sheet if gallery.uploads else lambda *_: b""
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads.files.slot(user))
        if not (sheet := await anyio.to_thread.run_sync(find, job.key.namespace, job.input_uri)):
            return Response(status_code=204)
        headers = {"Cache-Control": "private, max-age=600", "Content-Length": str(len(sheet))}
        headers |= _kind(request, job.key.name, "photos.jpg")
        return HoldingResponse(_whole(sheet), held.pop_all(), 200, headers)


async def _picture(request: Request) -> Response:
    """Return a small picture of the first photo; 204 if the gallery can read none."""
    gallery, user, job = await requested_job(request)
    async with AsyncExitStack() as held:
        await held.enter_async_context(gallery.downloads.files.slot(user))
        loaded_by = job.key.uid if job.loaded else ""
        picture = await gallery.pictures.first(job.key.namespace, job.input_uri, user.client, loaded_by=loaded_by)
        headers = {"Cache-Control": "private, max-age=600"}
        if not picture:
            return Response(status_code=204, headers=headers)
        headers |= {"Content-Length": str(len(picture)), **_kind(request, job.key.name, "photo.jpg")}
        return HoldingResponse(_whole(picture), held.pop_all(), 200, headers)


async def _whole(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content


async def _answer(request: Request, job: str, opened: VolumeFile | ObjectFile, held: AsyncExitStack) -> Response:
    """Return the response, which takes over what is `held` if it has content."""
    size, tag = opened.sealed.bytes, f'"{quote(opened.sealed.sha256, errors="replace")}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",  # cached, but revalidated each time: the user may have lost the right
        "ETag": tag,
        **_kind(request, job, opened.sealed.name),
    }
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    requested = request.headers.get("Range") if request.headers.get("If-Range", tag) == tag else None
    start, end = _range(requested, size)
    if start >= end > 0 or (start > 0 and start >= size):
        raise HTTPException(416, "the file does not have this range", {"Content-Range": f"bytes */{size}"})
    status = 200
    if (start, end) != (0, size):
        status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    content = await opened.read(start, start if request.method == "HEAD" else end)
    return HoldingResponse(content, held.pop_all(), status, headers)


def _kind(request: Request, job: str, name: str) -> dict[str, str]:
    """Return the headers for the file's type: shown inline, or downloaded."""
    path = PurePosixPath(name)
    saved = PurePosixPath(local_names([name], job)[name])
    # A report runs scripts. In a tab of its own it could imitate the gallery's page and send typed text
    # elsewhere; in a frame, its sandbox and the page's policy prevent that.
    if name == _REPORT and request.headers.get("Sec-Fetch-Dest") == "iframe":
        return {"Content-Type": "text/html; charset=utf-8", "Content-Disposition": "inline", **REPORT_HEADERS}
    content_type = _SHOWN.get(path.suffix.lower())
    disposition = "inline" if content_type and "download" not in request.query_params else "attachment"
    return {
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(saved.name, safe='')}",
        "Content-Security-Policy": FILE_POLICY,
        "Content-Type": content_type or "application/octet-stream",
    }


def _range(header: str | None, size: int) -> tuple[int, int]:
    """Return the first byte, and the byte after the last.

    Anything but a single range is ignored, as RFC 9110 allows.
    """
    match = _RANGE.fullmatch(header or "")
    if not match or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size if int(last) else 0
    return int(first), min(size, int(last) + 1) if last else size


_JOB: Final = "/api/namespaces/{namespace}/jobs/{name}"
ROUTES = [
    Route(_JOB + "/files/{path:path}", _file, methods=["GET"]),
    Route(_JOB + "/photos.jpg", _sheet, methods=["GET"]),
    Route(_JOB + "/photo.jpg", _picture, methods=["GET"]),
    Route("/api/shared/{token}/files/{path:path}", _file, methods=["GET"]),
]
