"""Rights: what a user may do with the jobs of a namespace, by SubjectAccessReview. Reviews are cached for some seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.api.identity import GROUP, PLURAL
from reconstruction_operator.kube.client import Api

from reconstruction_gallery.kube.users import User
from reconstruction_gallery.response_cache import ResponseCache

SEE: Final = "get"
UPLOAD: Final = "create"
CHANGE: Final = "patch"
# A verb of this project's roles: users who may cancel and not create are cancellers, and may not suspend
CANCEL: Final = "cancel"
_PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_EVERYWHERE: Final = ""  # the namespace of a review of all namespaces


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the page offers. The API server checks each write again."""

    upload: bool
    cancel: bool  # both steps, and the withdrawal
    suspend: bool  # and resume


class Rights:
    """Reviews rights by user, namespace and verb."""

    def __init__(self, api: Api, keep_seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._answers: ResponseCache[tuple[User, str, str], bool] = ResponseCache(keep_seconds, monotonic=monotonic)

    async def may(self, user: User, verb: str, namespace: str) -> bool:
        """Return whether the user may do that with the jobs of the namespace. Raises ApiError."""
        return await self._answers.get((user, verb, namespace), lambda: self._review(user, verb, namespace))

    async def visible(self, user: User, namespaces: Collection[str]) -> frozenset[str]:
        """Return the namespaces whose jobs the user may see. Raises ApiError."""
        if await self.may(user, SEE, _EVERYWHERE):
            return frozenset(namespaces)
        ordered = sorted(namespaces)
        allowed = await asyncio.gather(*(self.may(user, SEE, namespace) for namespace in ordered))
        return frozenset(name for name, may in zip(ordered, allowed, strict=True) if may)

    async def permissions(self, user: User, namespace: str) -> Permissions:
        """Return what the user may do in the namespace. Raises ApiError."""
        upload, change, cancel = await asyncio.gather(
            *(self.may(user, verb, namespace) for verb in (UPLOAD, CHANGE, CANCEL))
        )
        return Permissions(upload=upload, cancel=change, suspend=change and (upload or not cancel))

    async def _review(self, user: User, verb: str, namespace: str) -> bool:
        attributes = {"group": GROUP, "resource": PLURAL, "verb": verb, "namespace": namespace}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {**user.review, "resourceAttributes": attributes},
        }
        status = (await self._api.request("POST", _PATH, body=body)).get("status") or {}
        return status.get("allowed") is True and status.get("denied") is not True
