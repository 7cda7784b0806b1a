"""Contents of a Redis: keys, values and TTLs as plain data, read from a real one or changed by the rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Self

import redis

from tests.support.protocol.foreign import NONSENSE_FIELDS
from tests.support.protocol.matchers import NOW, TOLERANCE_MS

_DUMP: Final = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind, value = redis.call('TYPE', key).ok, ''
  if kind == 'string' then value = redis.call('GET', key) end
  if kind == 'set' then value = redis.call('SMEMBERS', key) end
  if kind == 'hash' then value = redis.call('HGETALL', key) end
  if kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
  found[#found + 1] = {key, kind, value, redis.call('PTTL', key)}
end
return found
"""


@dataclass
class Contents:
    """All that a Redis holds. A TTL of None means none. `clock`: the time in ms, if it is known."""

    values: dict[str, Any] = field(default_factory=dict)
    ttls: dict[str, int | None] = field(default_factory=dict)
    clock: int | None = None

    @classmethod
    def of(cls, client: redis.Redis) -> Self:
        """Return what a real Redis holds."""
        state = cls()
        for key, kind, value, ttl_ms in client.eval(_DUMP, 0):  # type: ignore[no-untyped-call,union-attr]
            match kind:
                case "set":
                    state.values[key] = set(value)
                case "hash":
                    state.values[key] = dict(zip(value[::2], value[1::2], strict=True))
                case "zset":
                    pairs = zip(value[::2], value[1::2], strict=True)
                    state.values[key] = {node: float(score) for node, score in pairs}
                case _:
                    state.values[key] = value
            state.ttls[key] = None if ttl_ms < 0 else ttl_ms
        return state

    def copy(self) -> Self:
        """Return a copy, which may be changed."""
        return type(self)(dict(self.values), dict(self.ttls), self.clock)

    @property
    def now(self) -> Any:
        """The time as a script writes it."""
        return NOW if self.clock is None else str(self.clock)

    def fields(self, key: str) -> dict[str, Any] | None:
        """Return the hash under a key; None if it is missing or malformed."""
        value = self.values.get(key)
        return value if isinstance(value, dict) and value != NONSENSE_FIELDS else None

    def attempt(self, record_key: str) -> int | None:
        """Return the attempt that a record wants."""
        record = self.fields(record_key)
        return int(record["attempt"]) if record else None

    def token(self, key: str) -> str | None:
        """Return the token of a claim or a heartbeat."""
        found = self.fields(key)
        return found["token"] if found else None

    def epoch(self, key: str) -> Any:
        """Return the id of Redis's epoch; None without one."""
        return (self.fields(key) or {}).get("id")

    def note(self, record_key: str, name: str) -> None:
        """Set a note in a record, if there is one."""
        if self.fields(record_key):
            self.put(record_key, {**self.values[record_key], name: "1"}, None)

    def forget_notes(self, record_key: str, *names: str) -> None:
        """Delete these notes of a record."""
        record = self.fields(record_key)
        if record:
            self.put(record_key, {name: value for name, value in record.items() if name not in names}, None)

    def flag(self, key: str) -> int:
        """Return 1 if the key exists, else 0."""
        return int(key in self.values)

    def put(self, key: str, value: Any, ttl_ms: int | None) -> None:
        """Replace a value."""
        self.values[key] = value
        self.ttls[key] = ttl_ms

    def drop(self, *keys: str) -> None:
        """Delete keys."""
        for key in keys:
            self.values.pop(key, None)
            self.ttls.pop(key, None)

    def reply(self, key: str, *names: str) -> list[Any]:
        """Return these fields as a script returns them: None for each that is missing."""
        found = self.fields(key) or self.values.get(key)
        return [found.get(name) for name in names] if isinstance(found, dict) else [None] * len(names)

    def ended(self, key: str) -> list[Any]:
        """Return how an attempt ended."""
        return self.reply(key, "outcome", "at", "details")

    def differences(self, expected: Contents) -> Iterator[str]:
        """Yield the differences from the expected contents, in words."""
        for key in sorted(self.values.keys() | expected.values.keys()):
            seen, wanted = self.values.get(key, "absent"), expected.values.get(key, "absent")
            if not wanted == seen:  # noqa: SIM201  # NOW decides what it equals
                yield f"{key} is {seen}, not {wanted}"
                continue
            ttl, wanted_ttl = self.ttls.get(key), expected.ttls.get(key)
            near = wanted_ttl is None or (ttl is not None and wanted_ttl - TOLERANCE_MS < ttl <= wanted_ttl)
            if not near or (ttl is None) != (wanted_ttl is None):
                yield f"{key} lives for {ttl} ms, not {wanted_ttl}"
