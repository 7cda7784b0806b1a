"""Running: what starts at the beginning of a `with` block and stops at its end."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Self, TypeVar

from devcluster.errors import ServerEndedError

T = TypeVar("T")

_POLL_SECONDS = 0.05  # until a server in a thread sees that it is to end
_PORT_TRIES = 5  # each fails only if another program binds one of the chosen ports within the same half second


class Running(ABC):
    """A context manager made of `start` and `stop`."""

    @abstractmethod
    def start(self) -> None:
        """Start it; an error leaves nothing behind."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it, and remove its files; nothing to do where nothing runs."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def answering(server: socketserver.BaseServer) -> Iterator[None]:
    """Let a server of the standard library answer, in a thread, until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def retried_on_taken_port(start: Callable[[], T]) -> T:
    """Call `start`, which chooses ports; again if another program took one of them before the server bound it."""
    for _ in range(_PORT_TRIES - 1):
        try:
            return start()
        except ServerEndedError as error:
            if not error.port_was_taken:
                raise
    return start()
