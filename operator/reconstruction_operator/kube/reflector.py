"""Reflector: follows the objects of one collection by a list and then a watch, and begins again after any error.

An object that cannot be read is skipped, logged and counted; the others are followed. The requests are the caller's:
`follow` sends them from a thread, `follow_async` from an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.kube import parsing
from reconstruction_operator.kube.errors import ApiError, SilentError
from reconstruction_operator.kube.pages import Pages

_log = logging.getLogger(__name__)

# Of a watch, which then begins again: the connection may be dead. The API server sends a bookmark each minute, but none
# of Events.
SILENCE_SECONDS: Final = 90.0
_WATCH_SECONDS: Final = 300  # then the API server ends the watch, and a new one continues from its version
FIRST_PAUSE_SECONDS: Final = 0.5
_MAX_PAUSE_SECONDS: Final = 5.0
_MAX_LINE_BYTES: Final = 32 << 20  # an object has at most some MiB


@dataclass(frozen=True, slots=True)
class Change:
    """An object that was added or modified, or deleted; without a key: a list is complete.

    `body` is None if a list no longer contains the object.
    """

    key: JobRef | None = None
    body: Mapping[str, Any] | None = None
    deleted: bool = False


Query = Mapping[str, str]


class Transport(Protocol):
    """Requests from a thread.

    `read` raises TooLargeError above `max_bytes`, `chunks` SilentError; both raise ApiError.
    """

    def read(self, path: str, query: Query, max_bytes: int) -> bytes: ...  # noqa: D102
    def chunks(self, path: str, query: Query, silence_seconds: float) -> Generator[bytes, None, None]: ...  # noqa: D102


class AsyncTransport(Protocol):
    """As `Transport`, from an event loop."""

    async def read(self, path: str, query: Query, max_bytes: int) -> bytes: ...  # noqa: D102
    def chunks(self, path: str, query: Query, silence_seconds: float) -> AsyncGenerator[bytes, None]: ...  # noqa: D102


class Lines:
    """Divides the pieces of a response into lines of at most `max_bytes`; the rest of a longer line is dropped."""

    def __init__(self, max_bytes: int = _MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def add(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that the piece completes, without their ends."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            yield bytes((self._rest + line)[: self._max_bytes])
            self._rest.clear()
        self._rest += rest[: self._max_bytes - len(self._rest)]

    def end(self) -> Iterator[bytes]:
        """Yield the last line if it has no end."""
        if self._rest:
            yield bytes(self._rest)


class Reflector:
    """What to request next, and what a response means. `apply` is called with each change.

    `final`: whether an error ends the reflector; without it, every error is logged and retried. `first_pause_seconds`:
    after an error, doubles. `silence_seconds`: after which a watch begins again.
    """

    def __init__(
        self,
        path: str,
        apply: Callable[[Change], None],
        *,
        selection: Mapping[str, str] | None = None,
        final: Callable[[ApiError], bool] = lambda _: False,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.path = path
        self.first_pause_seconds = first_pause_seconds
        self.silence_seconds = silence_seconds
        self._apply = apply
        self._selection = dict(selection or {})
        self._final = final
        self._pages = Pages(self._selection)
        self._keys: dict[str, JobRef] = {}  # by uid: the objects that exist
        self._listed: dict[str, JobRef] = {}  # by the current list
        self._version = 0  # 0: list first
        self._failures = 0
        self.skipped = 0
        """How many objects could not be read; an object counts each time it is received."""

    @property
    def listing(self) -> bool:
        """Whether the next request is one of a list."""
        return not self._version

    @property
    def query(self) -> dict[str, str]:
        """The query of the next request."""
        if self.listing:
            return self._pages.query
        return {
            "watch": "1",
            "allowWatchBookmarks": "1",
            "timeoutSeconds": str(_WATCH_SECONDS),
            "resourceVersion": str(self._version),
            **self._selection,
        }

    @property
    def max_bytes(self) -> int:
        """How many bytes the next page of a list may have."""
        return self._pages.max_bytes

    def page(self, text: bytes) -> None:
        """Apply a page of the list; after the last one, also the deletions. Raises ApiError."""
        for item in self._pages.add(text).items:
            if (head := self._apply_object("ADDED", item)) is not None:
                self._listed[head.key.uid] = head.key
        if self._pages.complete and not self._pages.version:
            raise ApiError(0, "NotJson", "the list has no version to watch from")
        if self._pages.complete:
            for key in [key for uid, key in self._keys.items() if uid not in self._listed]:
                self._hand_over(key, lambda key=key: Change(key, deleted=True))  # type: ignore[misc]
            self._keys, self._listed = self._listed, {}
            self._version = self._pages.version
            self._failures = 0
            self._hand_over(self.path, Change)

    def line(self, line: bytes) -> None:
        """Apply an event of the watch. Raises ApiError."""
        try:
            kind, body = parsing.event(line)
        except ValueError:
            self._skip("An event")
            return
        if kind == "ERROR":
            status = parsing.mapping(body)
            code = status.get("code")
            number = code if isinstance(code, int) else 0
            raise ApiError(number, str(status.get("reason", "")), str(status.get("message", "")))
        if kind == "BOOKMARK":
            self._version = parsing.version_of(parsing.mapping(body)) or self._version
        elif (head := self._apply_object(kind, body)) is not None:
            self._version = head.version or self._version
            self._keys[head.key.uid] = head.key
            if kind == "DELETED":
                del self._keys[head.key.uid]
        self._failures = 0

    def failed(self, error: Exception) -> float:
        """Return the pause before the next request, in seconds. Raises the error if it is final.

        After a silence a new watch continues from the same version: a server that is gone does not accept it.
        """
        if isinstance(error, SilentError) and not self.listing:
            return 0.0
        if isinstance(error, ApiError):
            if self.listing:
                try:
                    self._pages.failed(error)
                except ApiError:
                    pass
                else:
                    return 0.0
            if self._final(error):
                raise error
            _log.log(
                logging.INFO if error.status == HTTPStatus.GONE else logging.WARNING,
                "%s cannot be followed, retry soon: %s",
                self.path,
                error,
            )
        else:
            _log.error("%s cannot be followed, retry soon", self.path, exc_info=error)
        if self.listing or not isinstance(error, ApiError) or error.status:  # rejected, perhaps because of the version
            self._version = 0
            self._listed = {}
            self._pages.restart()
        pause: float = min(self.first_pause_seconds * 2**self._failures, _MAX_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, 16)
        return pause * (1 + random.random()) / 2  # noqa: S311  # jitter

    def _apply_object(self, kind: str, body: parsing.Encoded) -> parsing.Head | None:
        """Apply a change of an object; return its head, or None if that cannot be read."""
        head = parsing.head(body)
        if head is None:
            self._skip("An object without a name")
        else:
            self._hand_over(head.key, lambda: Change(head.key, parsing.mapping(body), deleted=kind == "DELETED"))
        return head

    def _hand_over(self, name: object, change: Callable[[], Change]) -> None:
        try:
            self._apply(change())
        except Exception:  # noqa: BLE001  # one bad object never stops the others
            self._skip(str(name))

    def _skip(self, name: str) -> None:
        self.skipped += 1
        _log.warning("%s cannot be read and is skipped (%d so far)", name, self.skipped, exc_info=True)


def follow(transport: Transport, reflector: Reflector, closed: threading.Event) -> None:
    """Follow until `closed` is set. Raises a final error."""
    while not closed.is_set():
        try:
            if reflector.listing:
                reflector.page(transport.read(reflector.path, reflector.query, reflector.max_bytes))
                continue
            lines, quiet = Lines(), True
            watch = transport.chunks(reflector.path, reflector.query, reflector.silence_seconds)
            with contextlib.closing(watch) as chunks:
                for line in (line for chunk in chunks for line in lines.add(chunk) if line):
                    if closed.is_set():
                        return
                    reflector.line(line)
                    quiet = False
            closed.wait(reflector.first_pause_seconds * quiet)  # a server or proxy that ends each watch at once
        except Exception as error:  # noqa: BLE001  # any error is logged, and the list begins again
            if closed.is_set() and isinstance(error, ApiError) and not error.status:
                return  # the server ended first: a blocked read notices only then that nothing is to be followed
            closed.wait(reflector.failed(error))


async def follow_async(transport: AsyncTransport, reflector: Reflector) -> None:
    """Follow until the task is cancelled. Raises a final error."""
    while True:
        try:
            if reflector.listing:
                reflector.page(await transport.read(reflector.path, reflector.query, reflector.max_bytes))
                continue
            lines, quiet = Lines(), True
            watch = transport.chunks(reflector.path, reflector.query, reflector.silence_seconds)
            async with contextlib.aclosing(watch) as chunks:
                async for chunk in chunks:
                    for line in filter(None, lines.add(chunk)):
                        reflector.line(line)
                        quiet = False
            await asyncio.sleep(reflector.first_pause_seconds * quiet)
        except Exception as error:  # noqa: BLE001  # any error is logged, and the list begins again
            await asyncio.sleep(reflector.failed(error))
