"""Watch of objects: a list, then a watch from its version, and a new list when the watch expires."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from kubectl_recon.errors import ApiError, ReconError, UnreachableError
from kubectl_recon.kube.api import Api

_WATCH_SECONDS: Final = 300  # after which the API server ends a watch, and a new one begins
_SPARE_SECONDS: Final = 30.0  # tolerance of the read timeout
_PAUSES_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)  # between retries while the API server is unavailable


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one object, or with `listed` all current objects."""

    body: Mapping[str, Any]
    deleted: bool = False
    listed: Sequence[Mapping[str, Any]] | None = None
    source: str = ""  # name of the watch, if there are several


@dataclass(frozen=True, slots=True)
class Refusal:
    """A permanent error, which ended a watch."""

    error: ReconError
    source: str


class Watch:
    """Watches the objects at `path` in a thread, and puts their changes into `changes`, until it is closed.

    The first change is a list. A permanent error (no permission, no such kind) is put there too, and ends the thread.
    While the API server is unavailable, the thread retries.
    """

    def __init__(
        self, api: Api, path: str, changes: queue.Queue[Change | Refusal], *, source: str = "", **query: str | None
    ) -> None:
        self._api, self._path, self._query, self._source = api, path, query, source
        self._changes = changes
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow {path}", daemon=True)

    def start(self) -> None:
        """Start the thread. It ends with the program: a blocked read cannot be interrupted."""
        self._thread.start()

    def close(self) -> None:
        """Stop putting changes into the queue."""
        self._closed.set()

    def _run(self) -> None:
        failures = 0
        while not self._closed.is_set():
            try:
                for change in once(self._api, self._path, source=self._source, **self._query):
                    failures = 0
                    if self._closed.is_set():
                        return
                    self._changes.put(change)
            except UnreachableError:
                pass
            except ApiError as error:
                if _is_final(error):
                    self._changes.put(Refusal(error, self._source))
                    return
            self._closed.wait(_PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS) - 1)])
            failures += 1


def once(api: Api, path: str, *, source: str = "", **query: str | None) -> Iterator[Change]:
    """Yield a list and the changes after it, until the version expires. Raises ApiError and UnreachableError."""
    found, version = api.items(path, **query)
    yield Change({}, listed=found, source=source)
    while True:
        with api.lines(
            path,
            read_seconds=_WATCH_SECONDS + _SPARE_SECONDS,
            watch="1",
            resourceVersion=version,
            allowWatchBookmarks="1",
            timeoutSeconds=_WATCH_SECONDS,
            **query,
        ) as lines:
            for line in lines:
                event = json.loads(line)
                body = event["object"]
                if event["type"] == "ERROR":
                    if body.get("code") == HTTPStatus.GONE:
                        return
                    raise ApiError(int(body.get("code") or 0), str(body.get("message")))
                version = body["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield Change(body, deleted=event["type"] == "DELETED", source=source)


def _is_final(error: ApiError) -> bool:
    """Return whether a retry is useless: any 4xx except "too many requests", a conflict, or an expired version."""
    passing = (HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT)
    return HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR and error.status not in passing
