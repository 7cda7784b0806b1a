"""Values that are not ours: of another type, without our fields, or in the form of the previous version."""

from __future__ import annotations

import json
from typing import Any, Final

import redis
from reconstruction_operator.contract.records import OPERATOR_TOKEN

# Under any key of a job, these fields break each rule by which something is present.
NONSENSE_FIELDS: Final = {
    "attempt": "1.5",
    "queue": "-",
    "token": "",
    "outcome": "Deleted",
    "reason": "x",
    "id": "x" * 65,
}


def as_text(fields: dict[str, str]) -> str:
    """Return a hash as the previous version kept it: as a JSON text."""
    numbers = {"attempt", "at", "sent_at"}
    value: dict[str, Any] = {name: int(text) if name in numbers else text for name, text in fields.items()}
    details = json.loads(value.pop("details", "{}"))
    return json.dumps({"by_operator": fields.get("token") == OPERATOR_TOKEN, **value, **details})


def from_text(text: str) -> dict[str, str] | str:
    """Return the fields of such a text; the text itself if it has another form."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    if not isinstance(data, dict) or not data:
        return text
    data.pop("by_operator", None)
    if "outcome" not in data:
        return {name: str(value) for name, value in data.items()}
    fields = {name: str(data.pop(name)) for name in ("token", "outcome", "at")}
    return fields | {"details": json.dumps(data, separators=(",", ":"))}


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
            client.hset(key, mapping=NONSENSE_FIELDS)  # type: ignore[arg-type]  # as narrow as redis-py's annotation
