"""Store faults: Redis, the network to Redis and to the API server, the object storage, and the messages in Redis."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import redis

from chaos.faults.table import Context, Fault, Heal, Inject, at_each, nothing, undoable
from chaos.polling import wait_for
from chaos.system.load import UserJob
from chaos.system.proxies.tcp import TcpProxy
from chaos.system.scene import OPERATORS, WORKERS, Scene

_FORGOTTEN_SECONDS = 20.0  # for the operator to stop and clean up a deleted job; other faults can delay that
_QUEUES = ("celery-high", "celery", "celery-low", "celery-parts", "spare-high", "spare", "spare-low")
_SNAPSHOT = "older"


_kill = undoable(lambda scene: scene.redis.kill(), lambda scene: scene.redis.heal())
_empty = undoable(lambda scene: scene.redis.kill(), lambda scene: scene.redis.restart())
_pause = undoable(lambda scene: scene.redis.pause(), lambda scene: scene.redis.resume())


def _flush(context: Context) -> Heal:
    context.scene.redis.flushall()
    return nothing


def _slows(pick: Callable[[Scene], Iterable[TcpProxy]]) -> Inject:
    """Delay what passes these proxies."""

    def inject(context: Context) -> Heal:
        seconds = context.chance.uniform(0.05, 0.4)
        return at_each(pick(context.scene), lambda proxy: proxy.delay(seconds))

    return inject


def _kill_clients(context: Context) -> Heal:
    killed = 0
    with contextlib.suppress(redis.RedisError):
        for kind in ("normal", "pubsub"):
            killed += int(context.scene.broker.client_kill_filter(_type=kind, skipme=True))
    context.missed = killed == 0
    return nothing


def _reconfigured(begin: Callable[[redis.Redis], object], end: Callable[[redis.Redis], object]) -> Inject:
    def inject(context: Context) -> Heal:
        try:
            begin(context.scene.broker)
        except redis.RedisError:  # Redis is still loading its data after an earlier fault
            context.missed = True
        return lambda: end(context.scene.broker)

    return inject


_full = _reconfigured(
    lambda client: client.config_set("maxmemory", "1"), lambda client: client.config_set("maxmemory", "0")
)
# A replica of an unreachable primary keeps its data and refuses every write.
_read_only = _reconfigured(
    lambda client: client.replicaof("127.0.0.1", "1"), lambda client: client.replicaof("NO", "ONE")
)


def _leader(context: Context) -> str:
    leader = context.scene.leader()
    context.missed = leader is None
    return leader or OPERATORS[0]


def _cut_off_leader_from_api(context: Context) -> Heal:
    """Cut the leader off while it still reaches Redis; another operator acquires the Lease."""
    proxy = context.scene.api_proxies[_leader(context)]
    proxy.silence()
    return proxy.heal


def _any_worker(context: Context) -> list[TcpProxy]:
    name = context.chance.choice(WORKERS)
    context.victims.add(name)
    return [context.scene.redis_proxies[name]]


def _cuts(pick: Callable[[Context], Sequence[TcpProxy]]) -> Inject:
    def inject(context: Context) -> Heal:
        proxies = pick(context)
        refuses = context.chance.random() < 0.5  # noqa: PLR2004 -- half of the cuts refuse, half are silent
        return at_each(proxies, TcpProxy.refuse if refuses else TcpProxy.silence)

    return inject


def _shuffle_messages(context: Context) -> Heal:
    context.missed = True
    with contextlib.suppress(redis.RedisError):
        for queue in _QUEUES:
            with context.scene.broker.pipeline(transaction=True) as transaction:
                transaction.lrange(queue, 0, -1)
                transaction.delete(queue)
                messages: list[bytes] = transaction.execute()[0]
            context.messages = [*((queue, message) for message in messages), *context.messages][:500]
            if messages:
                context.missed = False
                mixed = [*messages, *context.chance.choices(messages, k=len(messages))]
                context.chance.shuffle(mixed)
                context.scene.broker.rpush(queue, *mixed)
        # Duplicate the messages of running tasks too.
        for raw in context.scene.broker.hvals("unacked")[:10]:
            context.missed = False
            message, _, queue = json.loads(raw)
            context.scene.broker.lpush(queue, json.dumps(message))
    return nothing


def _resend_messages_of_the_deleted(context: Context) -> Heal:
    """Copy waiting messages, delete their jobs, and send the copies once the jobs' records are deleted."""
    with contextlib.suppress(redis.RedisError):
        for queue in _QUEUES:
            messages: Any = context.scene.broker.lrange(queue, 0, -1)
            context.messages = [*((queue, raw) for raw in messages), *context.messages][:500]
    victims = [job for job in context.load.under_way if _is_named(job, context.messages)][:4]
    context.load.delete(victims)
    gone = [job for job in context.load.jobs if job.deleted_at is not None and _is_named(job, context.messages)]
    wait_for(lambda: all(_is_forgotten(context, job) for job in victims), _FORGOTTEN_SECONDS, lambda: None)
    again = {job.uid.encode() for job in (*victims, *gone) if _is_forgotten(context, job)}
    context.missed = True
    with contextlib.suppress(redis.RedisError):
        for queue, message in context.messages:
            if any(uid in message for uid in again):
                context.missed = False
                context.scene.broker.lpush(queue, message)
    return nothing


def _is_named(job: UserJob, messages: list[tuple[str, bytes]]) -> bool:
    return any(job.uid.encode() in message for _, message in messages)


def _is_forgotten(context: Context, job: UserJob) -> bool:
    try:
        return job.deleted_at is not None and not context.scene.state.hexists(f"job:{job.uid}", "attempt")
    except redis.RedisError:
        return False


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


def _of_redis(name: str, inject: Inject, hold: tuple[float, float], *, forgets: bool = False) -> Fault:
    """Return a fault that makes Redis unavailable to all processes."""
    return Fault(f"Redis: {name}", "redis", inject, hold, cuts=True, blocks_users=True, harms=True, forgets=forgets)


def _of_network(name: str, inject: Inject, hold: tuple[float, float], **effects: bool) -> Fault:
    return Fault(f"network: {name}", "network", inject, hold, **effects)


FAULTS: Final = (
    _of_redis("killed, back with its data", _kill, (0.5, 8.0)),
    _of_redis("killed, back without its data", _empty, (0.5, 6.0), forgets=True),
    Fault("Redis: FLUSHALL", "redis", _flush, blocks_users=True, forgets=True),
    _of_redis("paused", _pause, (1.0, 12.0)),
    Fault("Redis: slow", "redis", _slows(lambda scene: scene.redis_proxies.values()), (4.0, 10.0), blocks_users=True),
    Fault("Redis: all connections cut (CLIENT KILL)", "redis", _kill_clients, (0.0, 1.0), blocks_users=True),
    _of_redis("out of memory", _full, (1.0, 8.0)),
    _of_redis("read-only replica", _read_only, (1.0, 8.0)),
    _of_network(
        "the operators cut off from Redis",
        _cuts(lambda context: [context.scene.redis_proxies[name] for name in OPERATORS]),
        (1.0, 10.0),
        blocks_users=True,
    ),
    _of_network(
        "the leader alone cut off from Redis",
        _cuts(lambda context: [context.scene.redis_proxies[_leader(context)]]),
        (2.0, 10.0),
        blocks_users=True,
    ),
    _of_network("the leader alone cut off from the API server", _cut_off_leader_from_api, (2.0, 10.0), deposes=True),
    _of_network("a worker cut off from Redis", _cuts(_any_worker), (1.0, 20.0), cuts=True, harms=True),
    Fault(
        "object storage: cut off from the workers",
        "storage",
        _cuts(lambda context: [context.scene.objects_proxy]),
        (1.0, 8.0),
    ),
    Fault("object storage: slow", "storage", _slows(lambda scene: [scene.objects_proxy]), (4.0, 10.0)),
    Fault("messages: duplicated and reordered", "messages", _shuffle_messages, (0.0, 1.0)),
    Fault(
        "messages: sent again after their jobs were deleted", "messages", _resend_messages_of_the_deleted, (0.0, 1.0)
    ),
    _of_redis("killed, back with older data", _restart_with_older_data, (1.0, 6.0), forgets=True),
    _of_redis("older data without a restart", _get_older_data, (1.0, 6.0), forgets=True),
)
