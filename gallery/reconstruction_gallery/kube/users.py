"""Users: TokenReview turns a bearer token into a user; a trusted proxy's headers name a user whom the gallery impersonates."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reconstruction_gallery.kube.access import Api
from reconstruction_gallery.response_cache import ResponseCache

_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_MAX_TOKEN_CHARS: Final = 16_384
_MAX_GROUPS: Final = 500
_MOST_KNOWN: Final = 20_000  # tokens
_EVERYONE: Final = "system:authenticated"
_RESERVED: Final = "system:"


class NotAuthenticatedError(Exception):
    """The request names no user that the API server knows."""


class RefusedUserError(Exception):
    """The proxy names a user or group that no proxy may name."""


@dataclass(frozen=True, slots=True)
class User:
    """A Kubernetes user, as the API server knows it. `token` is the user's own; without one the user is impersonated."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    token: str = field(default="", repr=False)

    @property
    def request_headers(self) -> list[tuple[str, str]]:
        """Headers of a request to the API server as this user."""
        if self.token:
            return [("Authorization", f"Bearer {self.token}")]
        return [("Impersonate-User", self.name), *(("Impersonate-Group", one) for one in self.groups)]

    @property
    def review(self) -> dict[str, Any]:
        """The user's part of a SubjectAccessReview's spec."""
        extra = {name: list(values) for name, values in self.extra}
        return {"user": self.name, "uid": self.uid, "groups": list(self.groups), "extra": extra}


class Tokens:
    """Reviews bearer tokens. An answer is kept for some seconds, under the token's hash."""

    def __init__(self, api: Api, keep_seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._users: ResponseCache[str, User] = ResponseCache(keep_seconds, monotonic=monotonic)
        # A separate cache: a flood of invalid tokens must not delay the reviews of signed-in users.
        self._strangers: ResponseCache[str, User] = ResponseCache(keep_seconds, monotonic=monotonic)
        self._known: OrderedDict[str, None] = OrderedDict()  # hashes of tokens that were accepted once

    async def user(self, token: str) -> User:
        """The user of a token that the API server accepts for itself.

        The review asks for the API server's own audience: the token must be one that the user's writes can be made with.

        Raises NotAuthenticatedError for any other token, ApiError if the API server cannot be asked.
        """
        if not token or len(token) > _MAX_TOKEN_CHARS or not token.isascii() or not token.isprintable():
            raise NotAuthenticatedError("this is no bearer token")
        key = hashlib.sha256(token.encode()).hexdigest()
        if key in self._known:
            return await self._users.get(key, lambda: self._review(token))
        user = await self._strangers.get(key, lambda: self._review(token))
        self._known[key] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return user

    async def _review(self, token: str) -> User:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        status = (await self._api.request("POST", _PATH, body=body)).get("status") or {}
        found = status.get("user") or {}
        if status.get("authenticated") is not True or not found.get("username"):
            raise NotAuthenticatedError("the API server does not accept this token: it may have expired")
        extra = tuple((str(name), tuple(map(str, values))) for name, values in (found.get("extra") or {}).items())
        groups = tuple(map(str, found.get("groups") or ()))
        return User(str(found["username"]), str(found.get("uid", "")), groups, extra, token)


def proxied(name: str, groups: Sequence[str]) -> User:
    """The user that a trusted proxy names.

    Raises NotAuthenticatedError without a name, RefusedUserError for names of the system's own: `system:masters` may do
    everything, and `system:serviceaccount:…` would be a pod.
    """
    if not name:
        raise NotAuthenticatedError("the proxy names no user")
    given = tuple(one for one in groups if one and one != _EVERYONE)
    for one in (name, *given):
        if one.startswith(_RESERVED) or not one.isprintable():
            raise RefusedUserError(f"a proxy may not name {one!r:.100}")
    if len(given) > _MAX_GROUPS:
        raise RefusedUserError(f"the proxy names {len(given)} groups, and at most {_MAX_GROUPS} are taken")
    return User(name, groups=(*given, _EVERYONE))
