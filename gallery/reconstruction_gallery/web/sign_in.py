"""Session routes: sign in with a token, show the user, sign out."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconstruction_gallery.kube.users import User
from reconstruction_gallery.web.limits import address_of
from reconstruction_gallery.web.parts import Gallery, json_of, text_in


async def _show(request: Request) -> Response:
    gallery = Gallery.of(request)
    try:
        identity = await gallery.identities.of(request)
    except HTTPException as error:
        if error.status_code != HTTPStatus.UNAUTHORIZED or "Authorization" in request.headers:
            raise
        # The page always requests this first: a 401 would be an error in the browser's console.
        return JSONResponse({"user": None})
    user = identity.user
    uploads = gallery.uploads is not None and not user.bound  # the page would create the job as the user
    if uploads:
        visible = await gallery.rights.visible(user, gallery.jobs.namespaces)
        uploads = await gallery.rights.creates(user, visible)
    return JSONResponse(
        {"user": user.name, "proof": identity.proof, "uploads": uploads, "history": gallery.history is not None}
    )


async def _sign_in(request: Request) -> Response:
    gallery = Gallery.of(request)
    response = Response(status_code=204)
    gallery.identities.check_origin(request)
    async with gallery.sign_ins.slot(User(address_of(request.scope))):
        body = await json_of(request)
    await gallery.identities.sign_in(request, text_in(body, "token"), response)
    return response


async def _sign_out(request: Request) -> Response:
    gallery = Gallery.of(request)
    await gallery.identities.for_change(request)
    response = Response(status_code=204)
    gallery.identities.sign_out(request, response)
    return response


ROUTES = [
    Route("/api/session", _show, methods=["GET"]),
    Route("/api/session", _sign_in, methods=["POST"]),
    Route("/api/session", _sign_out, methods=["DELETE"]),
]
