"""Values that are not ours: of another type, or without our fields."""

from __future__ import annotations

from typing import Final

import redis

# Under any key of a job, these fields break each rule by which something is present.
NONSENSE_FIELDS: Final = {
    "attempt": "1.5",
    "queue": "-",
    "token": "",
    "outcome": "Deleted",
    "reason": "x",
    "id": "x" * 65,
}


def put_foreign(client: redis.Redis, key: str, kind: str) -> None:
    """Put a value under a key, of another type or with other fields than the key must have."""
    match kind:
        case "string":
            client.set(key, "x")
        case "list":
            client.rpush(key, "x")
        case "set":
            client.sadd(key, "x")
        case _:
            client.hset(key, mapping=NONSENSE_FIELDS)
