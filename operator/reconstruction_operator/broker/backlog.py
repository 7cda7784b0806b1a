"""Backlog: the messages in the broker.

Reads queues in kombu's form: lists of messages, and a hash of those that workers have taken.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import redis
from redis.exceptions import ResponseError

from reconstruction_operator import config
from reconstruction_operator.state import connections

_UNACKED: Final = "unacked"  # kombu's hash of the messages that workers have taken
_TYPICAL_BYTES: Final = 4_096  # bytes of a message, if Redis does not report its memory

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits in each queue: messages, and their bytes in Redis."""

    messages: Mapping[str, int] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    memory_share: float = 0.0  # used share of Redis's maxmemory; 0 without a limit


@dataclass(frozen=True, slots=True)
class FoundMessages:
    """Ids of tasks whose messages wait in the searched queue, and of those whose messages workers have taken."""

    waiting: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()


class BacklogReader:
    """Reads the backlog, for one thread. Raises RedisError if the broker was unreachable for a few seconds.

    `page`: messages in one reply of Redis; `search_max`: messages of one queue, a longer one is not searched.
    """

    def __init__(self, *, page: int = 200, search_max: int = 20_000) -> None:
        self._page = page
        self._search_max = search_max
        self._client: redis.Redis | None = None
        self._refusals: set[str] = set()  # logged once each

    def measure(self, queues: Iterable[str]) -> Backlog:
        """Return how much waits in these queues, and how full Redis is."""
        names = sorted(set(queues))
        with self._ready().pipeline(transaction=False) as pipeline:
            pipeline.info("memory")
            for name in names:
                pipeline.llen(_key(name))
                pipeline.memory_usage(_key(name), samples=0)
            memory, *replies = pipeline.execute(raise_on_error=False)
        # A key of the wrong type is not a queue: no message waits in it.
        lengths = {
            name: length if isinstance(length, int) else 0 for name, length in zip(names, replies[::2], strict=True)
        }
        sizes = {
            name: size if isinstance(size, int) else lengths[name] * _TYPICAL_BYTES
            for name, size in zip(names, replies[1::2], strict=True)
            if lengths[name]
        }
        self._note("MEMORY USAGE", [reply for reply in replies[1::2] if isinstance(reply, ResponseError)])
        return Backlog(lengths, sizes, memory_share(memory) if isinstance(memory, dict) else 0.0)

    def count(self, queues: Iterable[str]) -> int:
        """Return how many messages wait in these queues together."""
        with self._ready().pipeline(transaction=False) as pipeline:
            for name in queues:
                pipeline.llen(_key(name))
            return sum(length for length in pipeline.execute(raise_on_error=False) if isinstance(length, int))

    def search(self, queues: Iterable[str]) -> Mapping[str, FoundMessages]:
        """Return the tasks whose messages are in each queue or at a worker.

        A queue that cannot be searched is left out.
        """
        client = self._ready()
        waiting: dict[str, frozenset[str]] = {}
        try:
            for name in sorted(set(queues)):
                if client.llen(_key(name)) <= self._search_max:
                    waiting[name] = frozenset(filter(None, map(_id_of, map(_parsed, self._messages(client, name)))))
            # After the queues, so that a message that a worker takes meanwhile is found here.
            held = [_parsed(text) for _, text in client.hscan_iter(_key(_UNACKED), count=self._page)]
            entries = [entry[0] for entry in held if isinstance(entry, list) and entry]
            taken = frozenset(filter(None, map(_id_of, entries)))
        except ResponseError as refusal:
            self._note("LRANGE or HSCAN", [refusal])
            return {}
        return {name: FoundMessages(ids, taken) for name, ids in waiting.items()}

    def remove(self, tasks: Mapping[str, Collection[str]]) -> None:
        """Remove the messages of these tasks from their queues. A queue whose messages cannot be read keeps them."""
        client = self._ready()
        for name, ids in tasks.items():
            try:
                for text in [message for message in self._messages(client, name) if _id_of(_parsed(message)) in ids]:
                    client.lrem(_key(name), 1, text)
            except ResponseError as refusal:  # a worker drops such messages, since their job has no record
                self._note("LRANGE or LREM", [refusal])

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ready(self) -> redis.Redis:
        if self._client is None:
            self._client = connections.broker_client()
        return self._client

    def _messages(self, client: redis.Redis, queue: str) -> Iterator[str]:
        """Read from the newest to the oldest: workers take the oldest, so no remaining message is skipped."""
        first = 0
        while page := cast("list[str]", client.lrange(_key(queue), first, first + self._page - 1)):
            yield from page
            first += len(page)

    def _note(self, command: str, refusals: list[ResponseError]) -> None:
        for refusal in refusals:
            if command not in self._refusals:
                self._refusals.add(command)
                _log.error("Redis refuses %s to the operator's user, which needs it: %s", command, refusal)


def memory_share(memory: Mapping[str, Any]) -> float:
    """Return the share of its `maxmemory` that Redis uses, from its INFO; 0 without a limit."""
    used = memory.get("used_memory")
    most = memory.get("maxmemory")
    return used / most if isinstance(used, int) and isinstance(most, int) and most > 0 else 0.0


def _key(queue: str) -> str:
    return f"{config.settings.REDIS_KEY_PREFIX}{queue}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _id_of(message: Any) -> str:
    """Return the task's id; empty if this is not a message of Celery."""
    headers = message.get("headers") if isinstance(message, dict) else None
    name = headers.get("id") if isinstance(headers, dict) else None
    return name if isinstance(name, str) else ""
