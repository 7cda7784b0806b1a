"""Pause log: logs why the jobs of a queue wait in the API server."""

from __future__ import annotations

import logging
from collections.abc import Collection

from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning.scheduling import Room

_log = logging.getLogger(__name__)


class PauseLog:
    """Logs each cause of a queue once, until no job of that queue waits."""

    def __init__(self) -> None:
        self._logged: dict[str, set[str]] = {}

    def log(self, queues: Collection[str], facts: QueueFacts, room: Room) -> None:
        """Log new causes. `queues` are all queues whose jobs wait."""
        self._logged = {queue: causes for queue, causes in self._logged.items() if queue in queues}
        for queue in queues:
            cause = _cause(queue, facts, room)
            if cause and cause not in self._logged.setdefault(queue, set()):
                self._logged[queue].add(cause)
                _log.info("Queue %s: further jobs wait in the API server: %s", queue, cause)

    def forget(self, queue: str) -> None:
        """Forget the causes of a queue: none of its jobs waits any longer."""
        self._logged.pop(queue, None)

    def clear(self) -> None:
        """Forget all causes, so that the next tenure logs them again."""
        self._logged.clear()


def _cause(queue: str, facts: QueueFacts, room: Room) -> str:
    """Why no message can be sent to the queue now; empty if one can."""
    if not facts.of(queue).workers:
        return "no live worker listens to it"
    if not room.in_queue(queue):
        return "as many messages as DISPATCH_WINDOW allows wait in it"
    if room.total <= 0:
        return "as many messages as DISPATCH_TOTAL_WINDOW allows wait in all queues"
    return ""
