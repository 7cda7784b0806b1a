"""Shared parts of the routes: the gallery's components, limits, checked names, JSON bodies, and errors as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.jobfiles.trashed import Trashed
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconstruction_gallery.files.history import History
from reconstruction_gallery.files.opened import UnreadableResultError
from reconstruction_gallery.files.pictures import Pictures
from reconstruction_gallery.files.results import Results
from reconstruction_gallery.files.uploads import UploadError, Uploads
from reconstruction_gallery.kube.health import Health
from reconstruction_gallery.kube.jobs import Job, Jobs
from reconstruction_gallery.kube.rights import SEE, Rights
from reconstruction_gallery.kube.users import BoundTokenError, User
from reconstruction_gallery.response_cache import ResponseCache
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web import links
from reconstruction_gallery.web.identity import Identities
from reconstruction_gallery.web.limits import Downloads, RequestLimit

_log = logging.getLogger(__name__)

_MAX_JSON_BYTES: Final = 65_536
_BODY_SECONDS: Final = 20.0  # for the whole of a small body
_PART_SECONDS: Final = 30.0  # for each part of a photo
_PART_BYTES: Final = 16_384
_TRASH_SECONDS: Final = 5.0  # for which the trash is cached
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_WAIT_SECONDS: Final = 10.0  # for another request of the same user to end
_TEXT_SECONDS: Final = 5.0  # of a long JSON while others wait
_LOG_SECONDS: Final = 30.0  # of a log while others wait: it is read for at most 20 s
_CHECK_SECONDS: Final = 20.0  # of a photo check while others wait
# The API server's statuses that a user can act on; all others are errors of the gallery.
_PASSED_ON: Final = {400, 401, 403, 404, 409, 422, 429}


def _texts(per_user: int, total: int) -> RequestLimit:
    return RequestLimit(per_user, total, wait_seconds=_WAIT_SECONDS, turn_seconds=_TEXT_SECONDS)


@dataclass(frozen=True, slots=True)
class Gallery:
    """The components of the running gallery."""

    settings: Settings
    api: Api
    jobs: Jobs
    rights: Rights
    identities: Identities
    results: Results
    health: Health
    sharing: links.Sharing
    uploads: Uploads | None  # None: disabled
    history: History | None = None  # None: disabled
    streams: RequestLimit = field(default_factory=lambda: RequestLimit(20, 1000))  # one for each open page
    empty_streams: RequestLimit = field(default_factory=lambda: RequestLimit(20, 100))  # of users who may see no job
    # An archive reads a whole result
    downloads: Downloads = field(
        default_factory=lambda: Downloads(
            RequestLimit(16, 100, wait_seconds=_WAIT_SECONDS), RequestLimit(2, 20), _texts(8, 30)
        )
    )
    shared_downloads: Downloads = field(  # of those who have links
        default_factory=lambda: Downloads(
            RequestLimit(6, 20, wait_seconds=_WAIT_SECONDS), RequestLimit(1, 4), _texts(4, 10)
        )
    )
    # A check decodes the photos of an upload
    checks: RequestLimit = field(
        default_factory=lambda: RequestLimit(1, 2, wait_seconds=2 * _CHECK_SECONDS, turn_seconds=_CHECK_SECONDS)
    )
    # A sign-in has its credentials in its body: before, only the client's address is known
    sign_ins: RequestLimit = field(default_factory=lambda: RequestLimit(10, 100, wait_seconds=_WAIT_SECONDS))
    logs: RequestLimit = field(  # each reads the logs of many pods
        default_factory=lambda: RequestLimit(
            1, 10, wait_seconds=_LOG_SECONDS + _WAIT_SECONDS, turn_seconds=_LOG_SECONDS
        )
    )
    pictures: Pictures = field(default_factory=Pictures)
    tenants: ResponseCache[str, list[str]] = field(default_factory=lambda: ResponseCache(_TRASH_SECONDS))
    """Namespaces with results in the trash."""
    uids: ResponseCache[str, str] = field(default_factory=lambda: ResponseCache(_TRASH_SECONDS))
    """Uids of namespaces."""
    trash: ResponseCache[str, list[Trashed]] = field(
        default_factory=lambda: ResponseCache(_TRASH_SECONDS, weigh=lambda _, kept: len(kept) + 1)
    )
    """Names of the results in the trash, by namespace: what is in them is read for each request."""

    @staticmethod
    def of(request: Request) -> Gallery:
        """Return the gallery that serves the request."""
        gallery: Gallery = request.app.state.gallery
        return gallery

    def downloads_of(self, request: Request) -> Downloads:
        """Return the limits of the request's downloads."""
        return self.shared_downloads if "token" in request.path_params else self.downloads

    async def visible_job(self, request: Request, user: User) -> Job:
        """Return the job in the path.

        Raises 404 if there is none, or 403 in any case if the user may not see jobs of its namespace.
        """
        namespace = namespace_of(request)
        name = _checked(request.path_params["name"], _NAME)
        await self.require(user, SEE, namespace)
        job = self.jobs.get(namespace, name)
        if job is None:
            raise HTTPException(404, f"there is no job {name} in {namespace}")
        return job

    async def require(self, user: User, verb: str, namespace: str) -> None:
        """Raise 403 unless the user may do that in the namespace. Raises ApiError."""
        if not await self.rights.may(user, verb, namespace):
            raise HTTPException(
                403,
                f"{user.name} may not {verb} reconstructionjobs in {namespace}: choose another namespace, or "
                "ask for a role",
            )


def namespace_of(request: Request) -> str:
    """Return the namespace in the path.

    Raises 404 for an invalid name, before it becomes part of a path at the API server.
    """
    return _checked(request.path_params["namespace"], _LABEL)


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text) or ".." in text:
        raise HTTPException(404, "not found: the name is invalid")
    return text


async def requested_job(request: Request) -> tuple[Gallery, User, Job]:
    """Return the gallery, the user of a request that only reads, and the job in its path.

    Raises 401, 403, 404, ApiError.

    A link's token in the path stands for a user, and for the one succeeded job whose result it shows: all who have the
    link share limits.
    """
    gallery = Gallery.of(request)
    if (token := request.path_params.get("token")) is not None:
        secret = gallery.sharing.secret()
        shared = gallery.jobs.of(links.uid_in(secret, token, time.time())) if secret else None
        if shared is None or not shared.succeeded:
            raise HTTPException(404, "this link has expired, or its job was deleted or has no result")
        return gallery, User(f"link to {shared.key.uid}"), shared
    user = (await gallery.identities.of(request)).user
    return gallery, user, await gallery.visible_job(request, user)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces. Raises 408 if the client sends too slowly (slow loris)."""
    stream = request.stream()
    loop = asyncio.get_running_loop()
    received, end = 0, loop.time() + _PART_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(end):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise _too_slow() from error
        received += len(chunk)
        if received >= _PART_BYTES:
            received, end = 0, loop.time() + _PART_SECONDS
        yield chunk


def _too_slow() -> HTTPException:
    return HTTPException(408, "the request was received too slowly", {"Connection": "close"})


async def json_of(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body, for a request whose credentials were checked.

    Raises 415 for another content type, 413 for a large body, 408 for a slow one, 400 for invalid JSON.
    """
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send application/json")
    text = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                text += chunk
                if len(text) > _MAX_JSON_BYTES:
                    raise HTTPException(413, "the request is too large", {"Connection": "close"})
    except TimeoutError as error:
        raise _too_slow() from error
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return parsed


def text_in(body: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return a string in the body. Raises 400 if it is missing or has another type."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise HTTPException(400, f"{name} is missing, or not a string")
    return value


async def on_error(_request: Request, error: Exception) -> Response:
    """Return the error as JSON. An API server's error has details only if the user can act on it, else status 503."""
    match error:
        case HTTPException():
            return JSONResponse({"error": error.detail}, error.status_code, error.headers)
        case UploadError():  # the connection is closed: the rest of the request is not read
            return JSONResponse({"error": error.message}, error.status, {"Connection": "close"})
        case BoundTokenError():
            return JSONResponse({"error": str(error)}, HTTPStatus.FORBIDDEN)
        case UnreadableResultError():
            return JSONResponse({"error": str(error)}, HTTPStatus.BAD_GATEWAY)
        case ApiError() if error.status in _PASSED_ON:
            return JSONResponse({"error": error.message, "reason": error.reason}, error.status)
    _log.warning("Request to the API server failed: %s", error)
    return JSONResponse({"error": "the API server is unavailable; try again"}, HTTPStatus.SERVICE_UNAVAILABLE)
