"""Rights: what a user may do with the jobs of a namespace, by SubjectAccessReview.

All cached answers about a user expire together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from reconstruction_operator.api.identity import GROUP, PLURAL
from reconstruction_operator.kube.client import Api

from reconstruction_gallery.kube.users import ACCOUNT, User
from reconstruction_gallery.response_cache import ResponseCache

SEE: Final = "get"
UPLOAD: Final = "create"
CHANGE: Final = "patch"
DELETE: Final = "delete"
# A verb of this project's roles: users who may cancel and not create are cancellers, and may not suspend
CANCEL: Final = "cancel"
_PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_EVERYWHERE: Final = ""  # the namespace of a review of all namespaces
_MAX_NAMES: Final = 200_000  # of namespaces in cached answers


class Rights:
    """Reviews rights by user, namespace and verb."""

    def __init__(self, api: Api, keep_seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._seconds = keep_seconds
        self._monotonic = monotonic
        self._answers: ResponseCache[tuple[str, str, User, float], bool]
        self._answers = ResponseCache(keep_seconds, monotonic=monotonic)
        self._visible: ResponseCache[tuple[frozenset[str], User, float], frozenset[str]]
        self._visible = ResponseCache(keep_seconds, _MAX_NAMES, lambda key, _: len(key[0]) + 1, monotonic=monotonic)

    async def may(self, user: User, verb: str, namespace: str) -> bool:
        """Return whether the user may do that with the jobs of the namespace. Raises ApiError."""
        key = (verb, namespace, user, self._period(user))
        return await self._answers.get(key, lambda: self._review(user, verb, namespace), user.client)

    async def visible(self, user: User, namespaces: frozenset[str]) -> frozenset[str]:
        """Return the namespaces whose jobs the user may see: one set for all streams of the user. Raises ApiError."""
        key = (namespaces, user, self._period(user))
        return await self._visible.get(key, lambda: self._reviewed(user, namespaces), user.client)

    async def creates(self, user: User, namespaces: frozenset[str]) -> bool:
        """Return whether the user may create jobs in one of these namespaces, or in all. Raises ApiError.

        Without any, the user may have a namespace that has no job yet: then true.
        """
        if user.name.startswith(ACCOUNT):
            namespaces |= {user.name.split(":")[2]}
        if not namespaces:
            return True
        if await self.may(user, UPLOAD, _EVERYWHERE):
            return True
        return any(await asyncio.gather(*(self.may(user, UPLOAD, namespace) for namespace in sorted(namespaces))))

    async def _reviewed(self, user: User, namespaces: frozenset[str]) -> frozenset[str]:
        if await self.may(user, SEE, _EVERYWHERE):
            return namespaces
        ordered = sorted(namespaces)
        allowed = await asyncio.gather(*(self.may(user, SEE, namespace) for namespace in ordered))
        return frozenset(name for name, may in zip(ordered, allowed, strict=True) if may)

    async def permissions(self, user: User, namespace: str) -> dict[str, bool]:
        """Return what the page offers to the user in the namespace; the API server checks each write again.

        Raises ApiError.

        Nothing with a token of the gallery alone, which authenticates no write.
        """
        if user.bound:
            return dict.fromkeys(("upload", "cancel", "suspend", "delete"), False)
        upload, change, cancel, delete = await asyncio.gather(
            *(self.may(user, verb, namespace) for verb in (UPLOAD, CHANGE, CANCEL, DELETE))
        )
        return {"upload": upload, "cancel": change, "suspend": change and (upload or not cancel), "delete": delete}

    def _period(self, user: User) -> float:
        """Return the number of the period of cached answers. Periods of users begin at different times."""
        return (self._monotonic() + hash(user) % self._seconds) // self._seconds

    async def _review(self, user: User, verb: str, namespace: str) -> bool:
        attributes = {"group": GROUP, "resource": PLURAL, "verb": verb, "namespace": namespace}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {**user.review, "resourceAttributes": attributes},
        }
        status = (await self._api.request("POST", _PATH, body=body)).get("status") or {}
        return status.get("allowed") is True and status.get("denied") is not True
