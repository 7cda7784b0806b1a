"""Stored statuses, as the Event recorder gets them."""

from __future__ import annotations

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.planning.types import Event


class Stored:
    """Stands for the Event recorder: records the jobs whose statuses were stored, in order."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    def record(self, key: JobRef, _events: tuple[Event, ...]) -> None:
        self.stored.append(key.name)
