"""Watch: keeps the job cache up to date, by a list in pages and then a watch, for each namespace or for all.

The gallery's account may only get, list and watch jobs.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from reconstruction_operator.api.identity import GROUP, PLURAL, VERSION

from reconstruction_gallery.kube.access import Api, ApiError
from reconstruction_gallery.kube.jobs import Jobs

_log = logging.getLogger(__name__)

_PAGE: Final = "500"
_SHORTEST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 300  # then the API server ends the watch, and a new one continues from its version


def jobs_path(namespace: str = "", name: str = "") -> str:
    """Return the path of all jobs, of a namespace's jobs, or of one job. Both names must be validated (`web.names`)."""
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{inside}/{PLURAL}" + (f"/{name}" if name else "")


async def watch(api: Api, jobs: Jobs, namespaces: Sequence[str]) -> None:
    """Watch until the task is cancelled. `namespaces`: empty for all."""
    targets = [_Target(api, jobs, one) for one in namespaces or ("",)]

    def listed() -> None:
        jobs.synced = all(one.listed for one in targets)

    async with asyncio.TaskGroup() as group:
        for target in targets:
            group.create_task(target.run(listed))


class _Target:
    """List and watch of one namespace, or of all."""

    def __init__(self, api: Api, jobs: Jobs, namespace: str) -> None:
        self._api = api
        self._jobs = jobs
        self._path = jobs_path(namespace)
        self._uids: set[str] = set()  # in this target's namespace: jobs of other targets must not be deleted
        self.listed = False

    async def run(self, listed: Callable[[], None]) -> None:
        version, pause = "", _SHORTEST_PAUSE_SECONDS
        while True:
            try:
                if not version:
                    version = await self._list()
                    self.listed = True
                    listed()
                version = await self._follow(version)
                pause = _SHORTEST_PAUSE_SECONDS
            except ApiError as error:
                if error.status == HTTPStatus.GONE:
                    _log.info("The version of the watch has expired: listing jobs again")
                    version = ""
                    continue
                _log.warning("Jobs cannot be watched, retry in %.0f s: %s", pause, error)
                if error.status:  # rejected, perhaps because of the version
                    version = ""
                await asyncio.sleep(pause * (1 + random.random()))  # noqa: S311  # jitter
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _list(self) -> str:
        seen: set[str] = set()
        params = {"limit": _PAGE}
        while True:
            page = await self._api.request("GET", self._path, params=params)
            for body in page.get("items") or ():
                self._jobs.put(body)
                seen.add(_uid(body))
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            params = {"limit": _PAGE, "continue": str(metadata["continue"])}
        for uid in self._uids - seen:
            self._jobs.delete(uid)
        self._uids = seen
        return str(metadata.get("resourceVersion", ""))

    async def _follow(self, version: str) -> str:
        """Apply events until the API server ends the watch. Return the version to continue from."""
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            "resourceVersion": version,
        }
        async for event in self._api.stream(self._path, params):
            body = event.get("object") or {}
            kind = event.get("type")
            if kind == "ERROR":
                raise ApiError(int(body.get("code") or 0), str(body.get("reason", "")), str(body.get("message", "")))
            if kind == "DELETED":
                self._uids.discard(_uid(body))
                self._jobs.delete(_uid(body))
            elif kind in ("ADDED", "MODIFIED"):
                self._uids.add(_uid(body))
                self._jobs.put(body)
            version = str((body.get("metadata") or {}).get("resourceVersion") or version)
        return version


def _uid(body: dict[str, dict[str, str]]) -> str:
    return str((body.get("metadata") or {}).get("uid", ""))
