"""The faults, one function each: hurt the scene, and give back what mends it.

Whatever a fault picks, it picks by the run's own random numbers, so that a seed tells the whole plan of a run. What
then happens depends on the machine's timing as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
import redis

from chaos.load import Load
from chaos.proxies import Refusal
from chaos.scene import OPERATORS, WORKERS, Scene
from devcluster import wait_until
from devcluster.errors import RefusedError
from devcluster.system import REPOSITORY

_QUEUES = ("celery-high", "celery", "celery-low")
_NAMESPACES = "/api/v1/namespaces"
_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/reconstructionjobs.reconstruction.dev"
_PATIENCE_SECONDS = 120.0
_DOOMED_JOBS = 6


@dataclass(slots=True)
class Context:
    """What a fault may touch. `messages` are raw ones that were seen in the queues, with their queue."""

    scene: Scene
    load: Load
    chance: random.Random
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    counter: int = 0


Heal = Callable[[], object]
Inject = Callable[[Context], Heal]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    `cuts`: it stops a process or keeps it from Redis, so that an attempt may be overtaken without knowing. `on`: what
    it hurts; faults on the same thing are not combined. `hold`: shortest and longest time in seconds before it is mended.
    """

    name: str
    on: str
    inject: Inject
    hold: tuple[float, float]
    cuts: bool = False
    needs_disk: bool = False


_TABLE: list[Fault] = []


def _fault(
    name: str, *, on: str, hold: tuple[float, float] = (0.5, 3.0), cuts: bool = False, needs_disk: bool = False
) -> Callable[[Inject], Inject]:
    def enter(inject: Inject) -> Inject:
        _TABLE.append(Fault(name, on, inject, hold, cuts=cuts, needs_disk=needs_disk))
        return inject

    return enter


def all_faults() -> tuple[Fault, ...]:
    """Every fault, in the order of the report."""
    return tuple(_TABLE)


def _nothing() -> None:
    """What needs no mending but that ended processes come back."""


NO_FAULT = Fault("none, to compare with", on="nothing", inject=lambda _: _nothing, hold=(0.5, 3.0))
"""How long it takes until every job has changed where nothing is broken. It is not among `all_faults`."""


# --- Operators --------------------------------------------------------------------------------------------------------


def _end_process(context: Context, name: str, number: signal.Signals) -> Heal:
    process = context.scene.process(name)
    if process.alive:
        context.scene.down.add(name)
        os.kill(process.pid, number)
    return lambda: context.scene.down.discard(name)


def _pause_process(context: Context, name: str) -> Heal:
    process = context.scene.process(name)
    if not process.alive:
        return _nothing
    process.pause()
    return lambda: process.resume() if process.alive else None


def _leader(context: Context) -> str:
    return context.scene.leader() or context.chance.choice(OPERATORS)


@_fault("operator, leader: SIGKILL", on="operators")
def _leader_killed(context: Context) -> Heal:
    return _end_process(context, _leader(context), signal.SIGKILL)


@_fault("operator, leader: SIGTERM", on="operators")
def _leader_terminated(context: Context) -> Heal:
    return _end_process(context, _leader(context), signal.SIGTERM)


@_fault("operator, leader: SIGSTOP, SIGCONT", on="operators", hold=(2.0, 12.0))
def _leader_stopped(context: Context) -> Heal:
    return _pause_process(context, _leader(context))


@_fault("operator, standby: SIGKILL", on="operators")
def _standby_killed(context: Context) -> Heal:
    return _end_process(context, context.scene.standby(), signal.SIGKILL)


@_fault("operator, standby: SIGTERM", on="operators")
def _standby_terminated(context: Context) -> Heal:
    return _end_process(context, context.scene.standby(), signal.SIGTERM)


@_fault("operator, standby: SIGSTOP, SIGCONT", on="operators", hold=(2.0, 8.0))
def _standby_stopped(context: Context) -> Heal:
    return _pause_process(context, context.scene.standby())


@_fault("jobs deleted while no operator runs", on="operators", hold=(2.0, 5.0))
def _deleted_while_down(context: Context) -> Heal:
    heals = [_end_process(context, name, signal.SIGKILL) for name in OPERATORS]
    victims = [job for job in context.load.under_way if job.scenario == "steady"]
    context.load.delete(context.chance.sample(victims, min(5, len(victims))))

    def heal() -> None:
        for one in heals:
            one()

    return heal


@_fault("operators and workers restarted one after another", on="operators", hold=(0.0, 0.5))
def _rolled(context: Context) -> Heal:
    for name in (*OPERATORS, *WORKERS):
        process = context.scene.process(name)
        if process.alive:
            os.kill(process.pid, signal.SIGTERM)
        wait_until(lambda gone=process: not gone.alive, f"{name} to end", timeout_seconds=_PATIENCE_SECONDS)  # type: ignore[misc]
        context.scene.start(name)
    return _nothing


# --- Workers ----------------------------------------------------------------------------------------------------------


@_fault("worker: SIGKILL", on="workers")
def _worker_killed(context: Context) -> Heal:
    return _end_process(context, context.chance.choice(WORKERS), signal.SIGKILL)


@_fault("worker: SIGTERM", on="workers", hold=(3.0, 5.0))
def _worker_terminated(context: Context) -> Heal:
    return _end_process(context, context.chance.choice(WORKERS), signal.SIGTERM)


@_fault("worker with its children: SIGSTOP, SIGCONT", on="workers", hold=(1.0, 15.0), cuts=True)
def _worker_stopped(context: Context) -> Heal:
    return _pause_process(context, context.chance.choice(WORKERS))


@_fault("worker, the parent alone: SIGSTOP, SIGCONT", on="workers", hold=(1.0, 12.0), cuts=True)
def _worker_parent_stopped(context: Context) -> Heal:
    process = context.scene.process(context.chance.choice(WORKERS))
    if not process.alive:
        return _nothing
    os.kill(process.pid, signal.SIGSTOP)
    return lambda: process.resume() if process.alive else None


def _signal_child(context: Context, number: signal.Signals) -> psutil.Process | None:
    children = [child for worker in WORKERS for child in context.scene.children(worker)]
    if not children:
        return None
    child = context.chance.choice(children)
    with contextlib.suppress(psutil.Error):
        child.send_signal(number)
    return child


@_fault("worker, a child: SIGKILL", on="workers")
def _child_killed(context: Context) -> Heal:
    _signal_child(context, signal.SIGKILL)
    return _nothing


@_fault("worker, a child: SIGTERM", on="workers")
def _child_terminated(context: Context) -> Heal:
    _signal_child(context, signal.SIGTERM)
    return _nothing


@_fault("worker, a child: SIGSTOP, SIGCONT", on="workers", hold=(1.0, 12.0), cuts=True)
def _child_stopped(context: Context) -> Heal:
    child = _signal_child(context, signal.SIGSTOP)

    def heal() -> None:
        with contextlib.suppress(psutil.Error):
            if child is not None:
                child.send_signal(signal.SIGCONT)

    return heal


@_fault("worker: clock off by minutes", on="workers", hold=(6.0, 12.0))
def _clock_off(context: Context) -> Heal:
    name = context.chance.choice(WORKERS)
    scene = context.scene
    scene.skew_seconds[name] = context.chance.choice((-1, 1)) * context.chance.randint(120, 900)
    process = scene.process(name)
    if process.alive:
        os.kill(process.pid, signal.SIGTERM)
    wait_until(lambda: not process.alive, f"{name} to end", timeout_seconds=_PATIENCE_SECONDS)
    scene.start(name)

    def heal() -> None:
        scene.skew_seconds.pop(name, None)
        newest = scene.process(name)
        if newest.alive:
            os.kill(newest.pid, signal.SIGTERM)

    return heal


# --- Model processes --------------------------------------------------------------------------------------------------


def _signal_models(context: Context, number: signal.Signals) -> list[int]:
    models = context.scene.model_processes()
    groups = [one.pid for one in context.chance.sample(models, min(3, len(models)))]
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
    return groups


@_fault("model process: SIGKILL", on="models")
def _models_killed(context: Context) -> Heal:
    _signal_models(context, signal.SIGKILL)
    return _nothing


@_fault("model process: SIGTERM", on="models")
def _models_terminated(context: Context) -> Heal:
    _signal_models(context, signal.SIGTERM)
    return _nothing


@_fault("model process: SIGSTOP, SIGCONT", on="models", hold=(1.0, 12.0), cuts=True)
def _models_stopped(context: Context) -> Heal:
    groups = _signal_models(context, signal.SIGSTOP)

    def heal() -> None:
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGCONT)

    return heal


# --- Redis ------------------------------------------------------------------------------------------------------------


@_fault("Redis: killed, back with its data", on="redis", hold=(0.5, 8.0), cuts=True)
def _redis_killed(context: Context) -> Heal:
    context.scene.redis.kill()
    return context.scene.redis.heal


@_fault("Redis: killed, back without its data", on="redis", hold=(0.5, 6.0), cuts=True)
def _redis_emptied(context: Context) -> Heal:
    context.scene.redis.kill()
    return lambda: context.scene.redis.restart(keep_data=False)


@_fault("Redis: FLUSHALL", on="redis", cuts=True)
def _redis_flushed(context: Context) -> Heal:
    context.scene.redis.flushall()
    return _nothing


@_fault("Redis: paused", on="redis", hold=(1.0, 12.0), cuts=True)
def _redis_paused(context: Context) -> Heal:
    context.scene.redis.pause()
    return context.scene.redis.resume


@_fault("Redis: slow", on="redis", hold=(4.0, 10.0), cuts=True)
def _redis_slow(context: Context) -> Heal:
    seconds = context.chance.uniform(0.05, 0.4)
    for proxy in context.scene.redis_proxies.values():
        proxy.delay(seconds)

    def heal() -> None:
        for proxy in context.scene.redis_proxies.values():
            proxy.heal()

    return heal


@_fault("Redis: all connections cut (CLIENT KILL)", on="redis", hold=(0.0, 1.0))
def _redis_clients_killed(context: Context) -> Heal:
    with contextlib.suppress(redis.RedisError):
        for kind in ("normal", "pubsub"):
            context.scene.broker.client_kill_filter(_type=kind, skipme=True)
    return _nothing


@_fault("Redis: out of memory", on="redis", hold=(1.0, 8.0), cuts=True)
def _redis_full(context: Context) -> Heal:
    with contextlib.suppress(redis.RedisError):
        context.scene.broker.config_set("maxmemory", "1")

    def heal() -> None:
        context.scene.broker.config_set("maxmemory", "0")

    return heal


@_fault("Redis: read-only replica", on="redis", hold=(1.0, 8.0), cuts=True)
def _redis_read_only(context: Context) -> Heal:
    # Of a primary that nobody can reach: it keeps its data, and refuses every write.
    context.scene.broker.replicaof("127.0.0.1", "1")

    def heal() -> None:
        context.scene.broker.replicaof("NO", "ONE")

    return heal


@_fault("network: the operators cut off from Redis", on="network", hold=(1.0, 10.0))
def _operators_cut_off(context: Context) -> Heal:
    proxy = context.scene.redis_proxies["operators"]
    context.chance.choice((proxy.silence, proxy.refuse))()
    return proxy.heal


@_fault("network: a worker cut off from Redis", on="network", hold=(1.0, 15.0), cuts=True)
def _worker_cut_off(context: Context) -> Heal:
    proxy = context.scene.redis_proxies[context.chance.choice(WORKERS)]
    context.chance.choice((proxy.silence, proxy.refuse))()
    return proxy.heal


# --- Messages ---------------------------------------------------------------------------------------------------------


@_fault("messages: duplicated and reordered", on="messages", hold=(0.0, 1.0))
def _messages_shuffled(context: Context) -> Heal:
    with contextlib.suppress(redis.RedisError):
        for queue in _QUEUES:
            with context.scene.broker.pipeline(transaction=True) as transaction:
                transaction.lrange(queue, 0, -1)
                transaction.delete(queue)
                found: list[bytes] = transaction.execute()[0]
            context.messages = [*((queue, message) for message in found), *context.messages][:500]
            if found:
                mixed = [*found, *context.chance.choices(found, k=len(found))]
                context.chance.shuffle(mixed)
                context.scene.broker.rpush(queue, *mixed)
        # Those that run at this moment, once more.
        running = context.scene.broker.hvals("unacked")[:10]
        for raw in running:
            message, _, queue = json.loads(raw)
            context.scene.broker.lpush(queue, json.dumps(message))
    return _nothing


@_fault("messages: again, after their jobs were deleted", on="messages", hold=(0.0, 1.0))
def _messages_of_the_deleted(context: Context) -> Heal:
    deleted = {job.uid.encode() for job in context.load.jobs if job.deleted_at is not None}
    with contextlib.suppress(redis.RedisError):
        if not context.messages:
            for queue in _QUEUES:
                found: Any = context.scene.broker.lrange(queue, 0, -1)
                context.messages += [(queue, message) for message in found]
            victims = [job for job in context.load.under_way if _is_named(job.uid, context.messages)]
            context.load.delete(victims[:4])
            deleted |= {job.uid.encode() for job in victims[:4]}
        for queue, message in context.messages:
            if any(uid in message for uid in deleted):
                context.scene.broker.lpush(queue, message)
    return _nothing


def _is_named(uid: str, messages: list[tuple[str, bytes]]) -> bool:
    return any(uid.encode() in message for _, message in messages)


# --- Files ------------------------------------------------------------------------------------------------------------


@_fault("disk of the job folders full", on="disk", hold=(1.0, 6.0), needs_disk=True)
def _disk_full(context: Context) -> Heal:
    context.scene.fill_disk()
    return context.scene.empty_disk


@_fault("job folders read-only", on="disk", hold=(1.0, 6.0), needs_disk=True)
def _disk_read_only(context: Context) -> Heal:
    wait_until(context.scene.make_read_only, "a moment in which nobody writes", timeout_seconds=_PATIENCE_SECONDS)
    return context.scene.make_writable


# --- Kubernetes -------------------------------------------------------------------------------------------------------


@_fault("namespace deleted", on="objects", hold=(0.0, 1.0))
def _namespace_deleted(context: Context) -> Heal:
    context.counter += 1
    namespace = f"doomed-{context.counter}"
    api = context.scene.cluster.api
    api.post(_NAMESPACES, {"metadata": {"name": namespace}})
    context.load.burst(namespace, _DOOMED_JOBS)
    api.delete(f"{_NAMESPACES}/{namespace}")
    context.load.mark_deleted(namespace)
    return lambda: wait_until(
        lambda: not api.is_there(f"{_NAMESPACES}/{namespace}"),
        f"namespace {namespace} to be gone",
        timeout_seconds=_PATIENCE_SECONDS,
    )


@_fault("CRD deleted and applied again", on="objects", hold=(0.0, 0.0))
def _crd_deleted(context: Context) -> Heal:
    cluster = context.scene.cluster
    with context.load.paused():
        with contextlib.suppress(RefusedError):
            cluster.api.delete(_CRD)
        wait_until(lambda: not cluster.api.is_there(_CRD), "the CRD to be gone", timeout_seconds=_PATIENCE_SECONDS)
        context.load.mark_deleted()
        cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "crd")
        wait_until(
            lambda: cluster.api.is_there("/apis/reconstruction.dev/v1alpha1/reconstructionjobs"),
            "the API server to serve ReconstructionJobs again",
            timeout_seconds=_PATIENCE_SECONDS,
        )
    return _nothing


@_fault("API server: killed", on="kubernetes", hold=(0.5, 6.0))
def _api_killed(context: Context) -> Heal:
    context.scene.cluster.kill_apiserver()
    return context.scene.cluster.heal


@_fault("API server: paused", on="kubernetes", hold=(1.0, 10.0))
def _api_paused(context: Context) -> Heal:
    context.scene.cluster.pause_apiserver()
    return context.scene.cluster.heal


@_fault("API server: 409 to writes", on="kubernetes", hold=(3.0, 8.0))
def _api_conflicts(context: Context) -> Heal:
    context.scene.api_proxy.refuse(Refusal(409, "Conflict", share=0.7, writes_only=True))
    return context.scene.api_proxy.heal


@_fault("API server: 429 with Retry-After", on="kubernetes", hold=(3.0, 8.0))
def _api_throttles(context: Context) -> Heal:
    context.scene.api_proxy.refuse(Refusal(429, "TooManyRequests", share=0.7, retry_after_seconds=1))
    return context.scene.api_proxy.heal


@_fault("API server: 500", on="kubernetes", hold=(3.0, 8.0))
def _api_fails(context: Context) -> Heal:
    context.scene.api_proxy.refuse(Refusal(500, "InternalError", share=0.7))
    return context.scene.api_proxy.heal


@_fault("API server: watches expired (410)", on="kubernetes", hold=(1.0, 6.0))
def _api_expires(context: Context) -> Heal:
    context.scene.api_proxy.expire_watches()
    return context.scene.api_proxy.heal


@_fault("API server: slow etcd", on="kubernetes", hold=(5.0, 10.0))
def _etcd_slow(context: Context) -> Heal:
    over = threading.Event()

    def stutter() -> None:
        while not over.is_set():
            context.scene.pause_etcd()
            over.wait(0.5)
            context.scene.resume_etcd()
            over.wait(0.1)

    thread = threading.Thread(target=stutter, name="slow etcd", daemon=True)
    thread.start()

    def heal() -> None:
        over.set()
        thread.join()
        context.scene.resume_etcd()

    return heal
