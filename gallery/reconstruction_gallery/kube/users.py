"""Users: of a bearer token, by TokenReview; or of a trusted proxy's headers, by impersonation."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reconstruction_operator.kube.client import Api

from reconstruction_gallery.response_cache import ResponseCache

_log = logging.getLogger(__name__)

_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_MAX_TOKEN_CHARS: Final = 16_384
_MAX_GROUPS: Final = 500
_MOST_KNOWN: Final = 20_000  # tokens
_EVERYONE: Final = "system:authenticated"
_RESERVED: Final = "system:"
ALL_GROUPS: Final = "*"
ACCOUNT: Final = "system:serviceaccount:"
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"  # of the token, not of the user
_MAX_CHARS: Final = 16 << 20  # of cached users and their tokens


class NotAuthenticatedError(Exception):
    """The request has no valid credentials."""


class BoundTokenError(Exception):
    """The user's token is only for the gallery, so nothing can be written with it."""


class RefusedUserError(Exception):
    """The proxy named a user or group that is reserved."""


@dataclass(frozen=True, slots=True)
class User:
    """A Kubernetes user. `token`: the user's own, on which no permission depends; a user without one is impersonated.

    `bound`: whether only the gallery accepts the token.
    """

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    token: str = field(default="", repr=False, compare=False)
    bound: bool = field(default=False, compare=False)

    @property
    def client(self) -> str:
        """Who shares limits: all service accounts of a namespace, whose editors may create any number of them, or one
        user.
        """
        return self.name.rpartition(":")[0] if self.name.startswith(ACCOUNT) else self.name

    @property
    def request_headers(self) -> list[tuple[str, str]]:
        """The headers of a request to the API server as this user. Raises BoundTokenError."""
        if self.bound:
            raise BoundTokenError(
                "this token is only for reading in the gallery, and for uploads: sign in with a token of the API server"
            )
        if self.token:
            return [("Authorization", f"Bearer {self.token}")]
        # The API server adds the group of all users itself.
        groups = (("Impersonate-Group", group) for group in self.groups if group != _EVERYONE)
        return [("Impersonate-User", self.name), *groups]

    @property
    def review(self) -> dict[str, Any]:
        """The user's part of a SubjectAccessReview's spec."""
        extra = {name: list(values) for name, values in self.extra}
        return {"user": self.name, "uid": self.uid, "groups": list(self.groups), "extra": extra}


class Tokens:
    """Reviews bearer tokens, of the API server or with `audience` alone.

    Reviews are cached for some seconds by the token's hash.
    """

    def __init__(
        self, api: Api, keep_seconds: float, audience: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._audience = audience
        self._users: ResponseCache[str, User] = ResponseCache(
            keep_seconds, _MAX_CHARS, lambda _, user: len(user.token) + len(repr(user)), monotonic=monotonic
        )
        self._known: OrderedDict[str, None] = OrderedDict()  # hashes of accepted tokens

    async def user(self, token: str) -> User:
        """Return the user of a token that the API server accepts.

        The review has the API server's default audience: the same token authenticates the user's writes. A token whose
        only audience is the gallery's is reviewed for that one, and authenticates no write.

        Raises NotAuthenticatedError for any other token, and ApiError.
        """
        if not token or len(token) > _MAX_TOKEN_CHARS or not token.isascii() or not token.isprintable():
            raise NotAuthenticatedError("this is not a bearer token")
        key = hashlib.sha256(token.encode()).hexdigest()
        # New tokens share calls: many invalid ones must not delay the reviews of signed-in users.
        user = await self._users.get(key, lambda: self._review(token), key if key in self._known else "")
        self._known[key] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return user

    async def _review(self, token: str) -> User:
        bound = _audiences(token) == [self._audience]
        spec = {"token": token, **({"audiences": [self._audience]} if bound else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        status = (await self._api.request("POST", _PATH, body=body)).get("status") or {}
        user = status.get("user") or {}
        accepted = not bound or self._audience in (status.get("audiences") or ())
        if status.get("authenticated") is not True or not accepted or not user.get("username"):
            raise NotAuthenticatedError("the API server does not accept this token: it may have expired")
        more = (user.get("extra") or {}).items()
        extra = tuple((str(name), tuple(map(str, values))) for name, values in more if name != _CREDENTIAL)
        groups = tuple(map(str, user.get("groups") or ()))
        return User(str(user["username"]), str(user.get("uid", "")), groups, extra, token, bound)


def _audiences(token: str) -> list[str]:
    """Return the audiences that a token claims, unverified; none if it is no JWT (RFC 7519)."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        audiences = claims.get("aud", [])
    except (IndexError, ValueError, AttributeError, RecursionError):
        return []
    return list(map(str, audiences if isinstance(audiences, list) else [audiences]))


def proxied(name: str, groups: Sequence[str], allowed: Collection[str] = (ALL_GROUPS,)) -> User:
    """Return the user that a trusted proxy names, in the `allowed` groups: the others are ignored, and logged once.

    Raises NotAuthenticatedError for an empty name, and RefusedUserError for reserved names: `system:masters` may do
    everything, and `system:serviceaccount:…` is a pod.
    """
    if not name:
        raise NotAuthenticatedError("the proxy names no user")
    named = tuple(group for group in groups if group and group != _EVERYONE)
    for subject in (name, *named):
        if subject.startswith(_RESERVED) or not subject.isprintable():
            raise RefusedUserError(f"a proxy may not name {subject!r:.100}")
    if len(named) > _MAX_GROUPS:
        raise RefusedUserError(f"the proxy names {len(named)} groups; the maximum is {_MAX_GROUPS}")
    if ALL_GROUPS not in allowed:
        for group in set(named).difference(allowed):
            _log_ignored(group)
        named = tuple(group for group in named if group in allowed)
    return User(name, groups=(*named, _EVERYONE))


@functools.lru_cache(1000)
def _log_ignored(group: str) -> None:
    _log.warning("GALLERY_PROXY_GROUPS does not name the proxy's group %.100s: it gives no rights here", group)
