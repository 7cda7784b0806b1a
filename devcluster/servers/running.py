"""Running: what starts at the beginning of a `with` block and stops at its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


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
