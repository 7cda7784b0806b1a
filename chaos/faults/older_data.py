"""Data-loss faults: Redis loses only its newest data, or single keys."""

from __future__ import annotations

import contextlib
from typing import Final

import redis

from chaos.faults.table import Context, Fault, Heal, nothing

_KINDS: Final = ("claim:", "alive:", "end:", "stop:", "cancel:", "cancel_request:", "cleaned:", "epoch", "workers")
"""Keys that are lost one at a time. Records and their index are excluded: if the leader dies too, a deleted job is cleaned up only
when the workers report its folder, within an hour, and a run does not wait that long."""

_KEYS_LOST = 5
_SNAPSHOT = "older"


def _restart_with_older_data(context: Context) -> Heal:
    """Lose all data written from now on, as in a fail-over to a lagging replica."""
    server = context.scene.redis
    snapshot = server.snapshot(_SNAPSHOT)
    return lambda: server.restore(snapshot)


def _get_older_data(context: Context) -> Heal:
    """Do the same without a restart, as a replica that synchronizes with a lagging one."""
    server = context.scene.redis
    try:
        before = server.dump()
    except redis.RedisError:  # Redis is still loading its data after an earlier fault
        context.missed = True
        return nothing
    return lambda: server.load(before)


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
