"""Contents of a Redis: keys, values and TTLs as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self

import redis

from tests.support.protocol.foreign import NONSENSE_FIELDS

_DUMP: Final = """
local entries = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind, value = redis.call('TYPE', key).ok, ''
  if kind == 'string' then value = redis.call('GET', key) end
  if kind == 'set' then value = redis.call('SMEMBERS', key) end
  if kind == 'hash' then value = redis.call('HGETALL', key) end
  if kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
  entries[#entries + 1] = {key, kind, value, redis.call('PTTL', key)}
end
return entries
"""


@dataclass
class Contents:
    """All that a Redis holds. A TTL of None means none."""

    values: dict[str, Any] = field(default_factory=dict)
    ttls: dict[str, int | None] = field(default_factory=dict)

    @classmethod
    def of(cls, client: redis.Redis) -> Self:
        """Return what a Redis holds."""
        contents = cls()
        for key, kind, value, ttl_ms in client.eval(_DUMP, 0):
            match kind:
                case "set":
                    contents.values[key] = set(value)
                case "hash":
                    contents.values[key] = dict(zip(value[::2], value[1::2], strict=True))
                case "zset":
                    pairs = zip(value[::2], value[1::2], strict=True)
                    contents.values[key] = {node: float(score) for node, score in pairs}
                case _:
                    contents.values[key] = value
            contents.ttls[key] = None if ttl_ms < 0 else ttl_ms
        return contents

    def fields(self, key: str) -> dict[str, Any] | None:
        """Return the hash under a key; None if it is missing or malformed."""
        value = self.values.get(key)
        return value if isinstance(value, dict) and value != NONSENSE_FIELDS else None
