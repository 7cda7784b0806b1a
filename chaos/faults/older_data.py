"""Faults of Redis that loses only its newest data, or single keys."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import redis

from chaos.faults.table import Context, Fault, Heal, nothing, together

_KINDS: Final = ("claim:", "alive:", "end:", "stop:", "cancel:", "cancel_request:", "cleaned:", "epoch", "workers")
"""Keys that are lost one at a time. A record, or the index of records, is missed of a deleted job if the leader dies as well:
the workers then report the job's folder within an hour, which is longer than a run waits."""

_KEYS_LOST = 5
_SNAPSHOT = "older"
_DATABASES = (0, 1)

_DUMP: Final = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  found[#found + 1] = {key, redis.call('PTTL', key), redis.call('DUMP', key)}
end
return found
"""

Dump = Sequence[tuple[bytes, int, bytes]]
"""Each key of a database, with its TTL in ms (0: none) and its value."""


def _restart_with_older_data(context: Context) -> Heal:
    """What Redis gets from now on is lost, as by a fail-over to a replica that lags."""
    server = context.scene.redis
    snapshot = server.snapshot(_SNAPSHOT)
    return lambda: server.restore(snapshot)


def _get_older_data(context: Context) -> Heal:
    """The same without a restart, as by a replica that synchronizes with one that lags."""
    urls = [context.scene.redis.url(number) for number in _DATABASES]
    try:
        dumps = [_dump(url) for url in urls]
    except redis.RedisError:  # it is still loading its data, after an earlier fault
        context.missed = True
        return nothing
    return together([partial(_load, url, dump) for url, dump in zip(urls, dumps, strict=True)])


def _dump(url: str) -> Dump:
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        found: Any = client.eval(_DUMP, 0)
        return [(key, max(0, ttl_ms), value) for key, ttl_ms, value in found]


def _load(url: str, dump: Dump) -> None:
    with redis.Redis.from_url(url, socket_timeout=5) as client, client.pipeline(transaction=True) as transaction:
        transaction.flushdb()
        for key, ttl_ms, value in dump:
            transaction.restore(key, ttl_ms, value)
        transaction.execute()


def _lose_single_keys(context: Context) -> Heal:
    context.missed = True
    with contextlib.suppress(redis.RedisError):
        for kind in context.chance.choices(_KINDS, k=_KEYS_LOST):
            found = sorted(context.scene.state.scan_iter(f"{kind}*", count=1000))
            if found and context.scene.state.delete(context.chance.choice(found)):
                context.missed = False
    return nothing


_LOSES: Final = {"cuts": True, "blocks_users": True, "harms": True, "forgets": True}
FAULTS: Final = (
    Fault("Redis: killed, back with older data", "redis", _restart_with_older_data, (1.0, 6.0), **_LOSES),
    Fault("Redis: older data without a restart", "redis", _get_older_data, (1.0, 6.0), **_LOSES),
    Fault("Redis: single keys lost", "redis", _lose_single_keys, (0.5, 2.0), **_LOSES),
)
