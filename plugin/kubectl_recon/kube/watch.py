"""Watch of objects in a thread: a list, then a watch, and a new list after any error."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from http import HTTPStatus

from reconstruction_operator.kube import errors
from reconstruction_operator.kube.reflector import Change, Reflector, follow

from kubectl_recon.kube.api import Api


@dataclass(frozen=True, slots=True)
class Seen:
    """A change, or a permanent error, which ended the watch. `source`: name of the watch, if there are several."""

    change: Change
    source: str = ""
    error: errors.ApiError | None = None


class Watch:
    """Watches the objects at `path` in a thread, and puts their changes into `changes`, until it is closed.

    A permanent error (no permission, no such kind) is put there too, and ends the thread. After any other error the thread retries.
    """

    def __init__(
        self, api: Api, path: str, changes: queue.Queue[Seen], *, source: str = "", **query: str | None
    ) -> None:
        self._api, self._source, self._changes = api, source, changes
        selection = {name: value for name, value in query.items() if value is not None}
        self._reflector = Reflector(path, self._put, selection=selection, final=_is_final)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow {path}", daemon=True)

    def start(self) -> None:
        """Start the thread. It ends with the program: a blocked read cannot be interrupted."""
        self._thread.start()

    def close(self) -> None:
        """Stop putting changes into the queue."""
        self._closed.set()

    def _put(self, change: Change) -> None:
        self._changes.put(Seen(change, self._source))

    def _run(self) -> None:
        try:
            follow(self._api, self._reflector, self._closed)
        except errors.ApiError as error:
            self._changes.put(Seen(Change(), self._source, error))


def _is_final(error: errors.ApiError) -> bool:
    """Return whether a retry is useless: any 4xx except "too many requests", a conflict, or an expired version."""
    passing = (HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT)
    return HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR and error.status not in passing
