"""Store faults: Redis, the network to Redis and to the API server, and the messages in Redis."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import redis

from chaos.faults.table import Context, Heal, fault, nothing
from chaos.load import UserJob
from chaos.polling import wait_for
from chaos.proxies import TcpProxy
from chaos.scene import OPERATORS, WORKERS

_FORGOTTEN_SECONDS = 20.0  # for the operator to stop and clean up a deleted job; less without other faults
_QUEUES = ("celery-high", "celery", "celery-low")

# --- Redis ------------------------------------------------------------------------------------------------------------


@fault("Redis: killed, back with its data", on="redis", hold=(0.5, 8.0), cuts=True, blocks_users=True, harms=True)
def _redis_killed(context: Context) -> Heal:
    context.scene.redis.kill()
    return context.scene.redis.heal


@fault(
    "Redis: killed, back without its data",
    on="redis",
    hold=(0.5, 6.0),
    cuts=True,
    blocks_users=True,
    harms=True,
    forgets=True,
)
def _redis_emptied(context: Context) -> Heal:
    context.scene.redis.kill()
    return lambda: context.scene.redis.restart(keep_data=False)


@fault("Redis: FLUSHALL", on="redis", blocks_users=True, forgets=True)
def _redis_flushed(context: Context) -> Heal:
    context.scene.redis.flushall()
    return nothing


@fault("Redis: paused", on="redis", hold=(1.0, 12.0), cuts=True, blocks_users=True, harms=True)
def _redis_paused(context: Context) -> Heal:
    context.scene.redis.pause()
    return context.scene.redis.resume


@fault("Redis: slow", on="redis", hold=(4.0, 10.0), blocks_users=True)
def _redis_slow(context: Context) -> Heal:
    seconds = context.chance.uniform(0.05, 0.4)
    for proxy in context.scene.redis_proxies.values():
        proxy.delay(seconds)

    def heal() -> None:
        for proxy in context.scene.redis_proxies.values():
            proxy.heal()

    return heal


@fault("Redis: all connections cut (CLIENT KILL)", on="redis", hold=(0.0, 1.0), blocks_users=True)
def _redis_clients_killed(context: Context) -> Heal:
    killed = 0
    with contextlib.suppress(redis.RedisError):
        for kind in ("normal", "pubsub"):
            killed += int(context.scene.broker.client_kill_filter(_type=kind, skipme=True))
    context.missed = killed == 0
    return nothing


@fault("Redis: out of memory", on="redis", hold=(1.0, 8.0), cuts=True, blocks_users=True, harms=True)
def _redis_full(context: Context) -> Heal:
    try:
        context.scene.broker.config_set("maxmemory", "1")
    except redis.RedisError:  # as below
        context.missed = True

    def heal() -> None:
        context.scene.broker.config_set("maxmemory", "0")

    return heal


@fault("Redis: read-only replica", on="redis", hold=(1.0, 8.0), cuts=True, blocks_users=True, harms=True)
def _redis_read_only(context: Context) -> Heal:
    # A replica of an unreachable primary keeps its data and refuses every write.
    try:
        context.scene.broker.replicaof("127.0.0.1", "1")
    except redis.RedisError:  # it is still loading its data, after an earlier fault
        context.missed = True

    def heal() -> None:
        context.scene.broker.replicaof("NO", "ONE")

    return heal


@fault("network: the operators cut off from Redis", on="network", hold=(1.0, 10.0), blocks_users=True)
def _operators_cut_off(context: Context) -> Heal:
    return _cut_off(context, *(context.scene.redis_proxies[name] for name in OPERATORS))


@fault("network: the leader alone cut off from Redis", on="network", hold=(2.0, 10.0), blocks_users=True)
def _leader_cut_off(context: Context) -> Heal:
    leader = context.scene.leader()
    context.missed = leader is None
    return _cut_off(context, context.scene.redis_proxies[leader or OPERATORS[0]])


@fault("network: the leader alone cut off from the API server", on="network", hold=(2.0, 10.0), deposes=True)
def _leader_without_api(context: Context) -> Heal:
    """The leader still reaches Redis, and another operator takes the Lease meanwhile."""
    leader = context.scene.leader()
    context.missed = leader is None
    proxy = context.scene.api_proxies[leader or OPERATORS[0]]
    proxy.silence()
    return proxy.heal


@fault("network: a worker cut off from Redis", on="network", hold=(1.0, 20.0), cuts=True, harms=True)
def _worker_cut_off(context: Context) -> Heal:
    name = context.chance.choice(WORKERS)
    context.victims.add(name)
    return _cut_off(context, context.scene.redis_proxies[name])


def _cut_off(context: Context, *proxies: TcpProxy) -> Heal:
    refuses = context.chance.random() < 0.5  # noqa: PLR2004 -- half of the cuts refuse, half are silent
    for proxy in proxies:
        (proxy.refuse if refuses else proxy.silence)()

    def heal() -> None:
        for proxy in proxies:
            proxy.heal()

    return heal


# --- Messages ---------------------------------------------------------------------------------------------------------


@fault("messages: duplicated and reordered", on="messages", hold=(0.0, 1.0))
def _messages_shuffled(context: Context) -> Heal:
    context.missed = True
    with contextlib.suppress(redis.RedisError):
        for queue in _QUEUES:
            with context.scene.broker.pipeline(transaction=True) as transaction:
                transaction.lrange(queue, 0, -1)
                transaction.delete(queue)
                found: list[bytes] = transaction.execute()[0]
            context.messages = [*((queue, message) for message in found), *context.messages][:500]
            if found:
                context.missed = False
                mixed = [*found, *context.chance.choices(found, k=len(found))]
                context.chance.shuffle(mixed)
                context.scene.broker.rpush(queue, *mixed)
        # And the messages of running tasks, once more.
        for raw in context.scene.broker.hvals("unacked")[:10]:
            context.missed = False
            message, _, queue = json.loads(raw)
            context.scene.broker.lpush(queue, json.dumps(message))
    return nothing


@fault("messages: again, after their jobs were deleted", on="messages", hold=(0.0, 1.0))
def _messages_of_the_deleted(context: Context) -> Heal:
    """Copy waiting messages, delete their jobs, and send the copies once the jobs' records are gone."""
    with contextlib.suppress(redis.RedisError):
        for queue in _QUEUES:
            found: Any = context.scene.broker.lrange(queue, 0, -1)
            context.messages = [*((queue, raw) for raw in found), *context.messages][:500]
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
        return job.deleted_at is not None and not context.scene.state.exists(f"job:{job.uid}")
    except redis.RedisError:
        return False
