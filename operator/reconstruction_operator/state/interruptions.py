"""Interruptions: a worker's subscription to the jobs that are cancelled or stopped. A hint: the keys decide."""

from __future__ import annotations

from typing import Any

import redis

from reconstruction_operator.contract.keys import Keys


class Interruptions:
    """A subscription with its own connection, for one thread. Each method raises RedisError if the connection is lost."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._pubsub: Any = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py has not annotated it
        try:
            self._pubsub.subscribe(keys.interruptions())
        except BaseException:
            self._pubsub.close()
            raise

    def hear(self, seconds: float) -> str | None:
        """Return the id of a job that is published within that time; None if there is none, or if the subscription has just begun."""
        message = self._pubsub.get_message(timeout=seconds)
        job_id = message["data"] if message is not None else None
        return job_id if isinstance(job_id, str) else None

    def close(self) -> None:
        """Close the subscription, and return its connection to the pool."""
        self._pubsub.close()
