"""Celery settings: one set for the worker's application and for the operator's dispatcher."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kombu.entity import Exchange, Queue

from reconstruction_operator import config
from reconstruction_operator.api.spec import PRIORITIES
from reconstruction_operator.broker import reporting, transport
from reconstruction_operator.contract.pools import parts_queue, queue_name
from reconstruction_operator.state import connections

DEFAULT_QUEUE: Final = "celery"  # Celery's own default, which `redis-cli LLEN celery` shows
TASK_MODULES: Final = tuple(f"reconstruction_operator.tasks.{name}" for name in ("reconstruction", "part", "cleanup"))
BOOTSTEPS: Final = {
    "worker": (
        "reconstruction_operator.worker.lifecycle.startup:Startup",
        "reconstruction_operator.worker.lifecycle.watchdog:Watchdog",
    ),
    "consumer": (
        "reconstruction_operator.worker.lifecycle.intake:Intake",
        "reconstruction_operator.worker.lifecycle.registration:Registration",
        "reconstruction_operator.worker.preflight_thread:PreflightThread",
        "reconstruction_operator.worker.lifecycle.metrics_server:MetricsServer",
    ),
}
"""For `app.steps`, by blueprint. Names, since the operator's image cannot import them."""
PROCESS_TASK: Final = "reconstruction.process"
CLEANUP_TASK: Final = "reconstruction.cleanup"
PART_TASK: Final = "reconstruction.part"


def pool_queues(pools: Iterable[str]) -> tuple[str, ...]:
    """Return the queues of those pools in the order in which a worker polls them: all high, then all normal, then all
    low, and at last those of the orders to help a run.
    """
    names = tuple(pools)
    of_jobs = (queue_name(pool, priority) for priority in reversed(PRIORITIES) for pool in names)
    return (*of_jobs, *map(parts_queue, names))


def settings() -> dict[str, Any]:
    """Return the argument of `app.conf.update`, from the current `config.settings`."""
    transport.install()
    reporting.install()
    queues = pool_queues(config.settings.WORKER_POOLS)
    return {
        "broker_url": config.settings.CELERY_BROKER_URL,
        "broker_use_ssl": connections.tls_options(config.settings.CELERY_BROKER_URL),
        "broker_transport_options": connections.broker_transport_options(),
        "broker_connection_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker waits for Redis indefinitely
        # Retry on channel errors (out of memory, read-only replica) as on connection loss. Otherwise the worker exits
        # or hangs: https://github.com/celery/celery/issues/5716, https://github.com/celery/celery/issues/7946
        "broker_channel_error_retry": True,
        "result_backend": config.settings.CELERY_RESULT_BACKEND,
        "result_backend_transport_options": connections.transport_options(config.settings.CELERY_RESULT_BACKEND),
        "result_backend_always_retry": True,  # otherwise a report raises at once while Redis is unreachable
        "result_expires": config.settings.RESULT_EXPIRES_SECONDS,
        "redis_socket_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "redis_socket_connect_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "redis_socket_keepalive": not connections.is_socket(config.settings.CELERY_RESULT_BACKEND),
        "redis_backend_use_ssl": connections.tls_options(config.settings.CELERY_RESULT_BACKEND),
        "redis_backend_health_check_interval": connections.HEALTH_CHECK_SECONDS,
        # JSON only: other formats, such as pickle, can execute code.
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_default_queue": DEFAULT_QUEUE,
        "task_queues": tuple(Queue(name, Exchange(name), routing_key=name) for name in queues),  # type: ignore[no-untyped-call]  # kombu's entities are not annotated
        # At-least-once delivery: a message is acknowledged when its task is finished, and no worker prefetches one that
        # another could run. A second delivery finds the claim; the operator resends a message that is lost.
        "task_acks_late": True,
        # of the arguments' text in each message, for logs: Celery's default is slow, and our logs name the job
        "task_repr_maxlevels": 1,
        "worker_prefetch_multiplier": 1,
        # Nor after a lost connection: Celery then no longer counts the messages that it took before, whose tasks still
        # run.
        "worker_disable_prefetch": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # a worker that loses its connection continues
        "worker_soft_shutdown_timeout": config.settings.DRAIN_SECONDS,
        "worker_enable_remote_control": config.settings.WORKER_REMOTE_CONTROL == "on",
        "imports": TASK_MODULES,
    }
