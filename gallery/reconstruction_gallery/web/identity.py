"""Identity: the Kubernetes user of a request, and whether the request may change something (CSRF).

1. Headers of an authenticating proxy are accepted only with the proxy's secret, and only if a secret is configured.
2. A bearer token identifies its user. No browser adds it on its own, so it needs no CSRF token.
3. A session cookie identifies the token that the user signed in with.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reconstruction_gallery.kube.users import NotAuthenticatedError, RefusedUserError, Tokens, User, proxied
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web.sessions import Sessions

SECRET_HEADER: Final = "X-Gallery-Proxy-Secret"  # noqa: S105  # its name, not its value
PROOF_HEADER: Final = "X-CSRF-Token"
_BEARER: Final = "bearer"


@dataclass(frozen=True, slots=True)
class Identity:
    """A request's user. `proof`: the CSRF token that a change needs; None for a bearer token."""

    user: User
    proof: str | None


class Identities:
    """Finds the user of a request."""

    def __init__(self, settings: Settings, tokens: Tokens, sessions: Sessions) -> None:
        self._settings = settings
        self._secret = settings.proxy_secret
        self._tokens = tokens
        self._sessions = sessions
        self.cookie = "__Host-gallery" if settings.secure else "gallery"

    async def of(self, request: Request) -> Identity:
        """Return the request's identity.

        Raises 401 without valid credentials, 403 for a reserved user, and ApiError.
        """
        try:
            if self._is_proxied(request):
                name = request.headers.get(self._settings.proxy_user_header, "")
                user = proxied(name, self._groups(request), self._settings.proxy_groups)
                return Identity(user, self._sessions.proof(f"proxy {user.name}"))
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() == _BEARER:
                return Identity(await self._tokens.user(token.strip()), None)
            identity = request.cookies.get(self.cookie, "")
            if session := self._sessions.find(identity):
                return Identity(await self._tokens.user(session.token), self._sessions.proof(f"session {identity}"))
        except NotAuthenticatedError as error:
            raise HTTPException(401, str(error), {"WWW-Authenticate": "Bearer"}) from error
        except RefusedUserError as error:
            raise HTTPException(403, str(error)) from error
        raise HTTPException(401, "sign in first", {"WWW-Authenticate": "Bearer"})

    async def for_change(self, request: Request) -> Identity:
        """As `of`, for a request that changes something. Raises 403 also if another site may have sent it."""
        identity = await self.of(request)
        if identity.proof is not None:
            self.check_origin(request)
            if not hmac.compare_digest(request.headers.get(PROOF_HEADER, "").encode(), identity.proof.encode()):
                raise HTTPException(403, f"the header {PROOF_HEADER} is missing or wrong: reload the page")
        return identity

    def check_origin(self, request: Request) -> None:
        """Raise 403 unless the browser's headers show that the gallery's own page sent the request."""
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        same = site == "same-origin" if site is not None else origin is not None
        hosts = {request.headers.get("Host"), urlsplit(self._settings.url).netloc} - {None, ""}  # "null" has no host
        if not same or (origin is not None and origin.partition("://")[2] not in hosts):
            raise HTTPException(403, "this request comes from another site")

    async def sign_in(self, request: Request, token: str, response: Response) -> None:
        """Start a session, and add its cookie to the response, after `check_origin`. Raises 401, ApiError."""
        try:
            user = await self._tokens.user(token.strip())
        except NotAuthenticatedError as error:
            raise HTTPException(401, str(error)) from error
        self._sessions.end(request.cookies.get(self.cookie, ""))
        response.set_cookie(
            self.cookie,
            self._sessions.begin(user.client, user.token),
            max_age=self._settings.session_seconds,
            httponly=True,
            samesite="strict",
            secure=self._settings.secure,
        )

    def sign_out(self, request: Request, response: Response) -> None:
        """End the session, and delete its cookie."""
        self._sessions.end(request.cookies.get(self.cookie, ""))
        response.delete_cookie(self.cookie, httponly=True, samesite="strict", secure=self._settings.secure)

    def _is_proxied(self, request: Request) -> bool:
        secret = request.headers.get(SECRET_HEADER)
        if self._secret is None or secret is None:
            return False
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            raise HTTPException(403, "the proxy's secret is wrong")
        return True

    def _groups(self, request: Request) -> list[str]:
        lines = request.headers.getlist(self._settings.proxy_groups_header)
        return [group.strip() for line in lines for group in line.split(",")]
