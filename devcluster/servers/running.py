"""Running: what starts at the beginning of a `with` block and stops at its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self, TypeVar

from devcluster.errors import ServerEndedError

T = TypeVar("T")

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


def retried_on_taken_port(start: Callable[[], T]) -> T:
    """Call `start`, which chooses ports; again if another program took one of them before the server bound it."""
    for _ in range(_PORT_TRIES - 1):
        try:
            return start()
        except ServerEndedError as error:
            if not error.port_was_taken:
                raise
    return start()
