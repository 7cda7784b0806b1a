"""Watch of objects: a list, then a watch from there, and again where the watch ends."""

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
_SPARE_SECONDS: Final = 30.0  # that an answer may be late
_PAUSES_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)  # between tries while the API server is away


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object, or with `listed` all objects as they are now."""

    body: Mapping[str, Any]
    deleted: bool = False
    listed: Sequence[Mapping[str, Any]] | None = None
    source: str = ""  # the name of the following, where there are several


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that ended a following: it does not pass by waiting."""

    error: ReconError
    source: str


class Watch:
    """Follows the objects at `path` in a thread, and puts their changes into `changes`, until it is closed.

    The first change is a list. An error that does not pass (no permission, no such kind) is put there and ends the thread.
    While the API server is away, the thread tries again.
    """

    def __init__(
        self, api: Api, path: str, changes: queue.Queue[Change | Refusal], *, source: str = "", **query: str | None
    ) -> None:
        self._api, self._path, self._query, self._source = api, path, query, source
        self._changes = changes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow {path}", daemon=True)

    def start(self) -> None:
        """Begin. The thread ends with the program: a watch that waits for news cannot be interrupted."""
        self._thread.start()

    def close(self) -> None:
        """Put no more changes."""
        self._over.set()

    def _run(self) -> None:
        failures = 0
        while not self._over.is_set():
            try:
                for change in once(self._api, self._path, source=self._source, **self._query):
                    failures = 0
                    if self._over.is_set():
                        return
                    self._changes.put(change)
            except UnreachableError:
                pass
            except ApiError as error:
                if _is_final(error):
                    self._changes.put(Refusal(error, self._source))
                    return
            self._over.wait(_PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS) - 1)])
            failures += 1


def once(api: Api, path: str, *, source: str = "", **query: str | None) -> Iterator[Change]:
    """A list and the changes after it, until a watch cannot continue. Raises ApiError and UnreachableError."""
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
    """A refusal other than "later" and "that version is too old"."""
    passing = (HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT)
    return HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR and error.status not in passing
