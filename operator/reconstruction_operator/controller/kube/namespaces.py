"""Namespaces: the uid of each namespace that has jobs, which tells a tenant from an earlier one whose namespace had the
same name.

A uid is read once, and again after a minute or when the job for which it was read is gone. If a namespace is deleted,
so are all its jobs, and a watch shows that before the jobs of the next namespace of that name.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError

_log = logging.getLogger(__name__)

_FRESH_SECONDS: Final = 60.0
_MOST_KEPT: Final = 10_000  # namespaces


class _Read(NamedTuple):
    uid: str  # empty: it may not be read
    at: float  # monotonic seconds
    witness: JobRef  # a job that existed before


@dataclass(eq=False)
class Namespaces:
    """The uids of namespaces."""

    api: Api
    cache: Cache
    monotonic: Callable[[], float] = time.monotonic
    unreadable: bool = field(default=False, init=False)  # whether the newest answer refused one
    _read: dict[str, _Read] = field(default_factory=dict, init=False)

    async def uids(self, keys: Iterable[JobRef]) -> dict[str, str | ApiError]:
        """Return the uid of the namespace of each of these jobs, by name: empty if it may not be read, or the error of
        the API server.
        """
        witnesses = {key.namespace: key for key in keys}
        missing = [key for name, key in witnesses.items() if not self._is_fresh(name)]
        errors = dict(zip(missing, await asyncio.gather(*map(self._fetch, missing)), strict=True))
        return {name: errors.get(key) or self._read[name].uid for name, key in witnesses.items()}

    def _is_fresh(self, name: str) -> bool:
        read = self._read.get(name)
        return (
            read is not None
            and self.monotonic() - read.at < _FRESH_SECONDS
            and self.cache.entry(read.witness.uid) is not None
        )

    async def _fetch(self, key: JobRef) -> ApiError | None:
        name, at = key.namespace, self.monotonic()
        try:
            body = await self.api.get(paths.namespace(name))
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                return error
            if not self.unreadable:
                _log.warning(
                    "The operator may not read namespace %s: its jobs take over no earlier result: %s", name, error
                )
            self.unreadable, uid = True, ""
        else:
            self.unreadable, uid = False, str((body.get("metadata") or {}).get("uid") or "")
        while len(self._read) >= _MOST_KEPT:
            del self._read[next(iter(self._read))]
        self._read.pop(name, None)  # to its end: the oldest is dropped first
        self._read[name] = _Read(uid, at, key)
        return None
