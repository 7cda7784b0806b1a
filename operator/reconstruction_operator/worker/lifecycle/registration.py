"""A Celery worker says that it is there, for which queues, and when it is about to go.

Its signals start and end one thread in the worker's main process, whatever the pool. The thread alone talks to Redis, so
that neither a signal handler nor the start of the worker ever waits for it.
"""

from __future__ import annotations

import logging
import threading
from importlib import metadata
from typing import Any

from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles.inventory import Inventory
from reconstruction_operator.models import registry
from reconstruction_operator.state import calls, connections, worker_calls
from reconstruction_operator.state.errors import ProtocolError
from reconstruction_operator.worker.attempt.ownership import LIFE

logger = logging.getLogger(__name__)

_MAX_PERIOD_SECONDS = 5.0
_AGAIN_SECONDS = 0.5  # after a failure to say that the worker drains
_JOIN_SECONDS = 5.0


class Registration:
    """Registers `consumer`, a worker's Celery consumer, until it is told that the worker drains or is gone."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._node = str(consumer.hostname)
        self._keys = Keys()
        self._client = connections.state_client()  # its own: the tasks' client must not be in use while a pool forks
        self._inventory = Inventory(self._client, self._keys)
        self._draining = threading.Event()
        self._gone = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registration", daemon=True)

    @property
    def node(self) -> str:
        """The worker's name."""
        return self._node

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def drain(self) -> None:
        """The worker takes no more messages. Callable from a signal handler."""
        self._draining.set()
        self._wake.set()

    def end(self) -> None:
        """The worker has ended all its tasks."""
        self._gone.set()
        self._wake.set()
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        said_draining = False
        while not self._gone.is_set():
            pause: float | None = min(_MAX_PERIOD_SECONDS, config.settings.WORKER_TTL_SECONDS / 3)
            if not self._draining.is_set():
                self._register()
            elif not said_draining:
                draining = worker_calls.start_draining(self._keys, self._node, LIFE, config.settings.DRAIN_SECONDS)
                said_draining = self._say("start draining", draining)
                pause = None if said_draining else _AGAIN_SECONDS
            else:
                pause = None
            self._wake.wait(pause)
            self._wake.clear()
        self._say("unregister", worker_calls.unregister_worker(self._keys, self._node))
        self._client.close()

    def _register(self) -> None:
        try:
            epoch = calls.run(self._client, self._registration())
        except (RedisError, ProtocolError) as error:
            logger.warning("worker %s could not register: %s", self._node, error)
        else:
            self._inventory.epoch_is(epoch)

    def _registration(self) -> calls.Call[str]:
        pool = getattr(self._consumer, "pool", None)
        return worker_calls.register_worker(
            self._keys,
            node=self._node,
            queues=tuple(self._consumer.app.amqp.queues.consume_from),  # may change by remote control
            models=registry.available(),
            version=metadata.version("reconstruction-operator"),
            concurrency=int(getattr(pool, "num_processes", None) or getattr(pool, "limit", None) or 1),
        )

    def _say(self, what: str, call: calls.Call[None]) -> bool:
        try:
            calls.run(self._client, call)
        except (RedisError, ProtocolError) as error:
            logger.warning("worker %s could not %s: %s", self._node, what, error)
            return False
        return True


_current: list[Registration] = []  # of this process: Celery's signals carry no state


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin_registration(sender: Any, **_: Any) -> None:
    """The worker listens to its queues."""
    registration = Registration(sender)
    _current[:] = [registration]
    registration.start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def begin_draining(**_: Any) -> None:
    """The worker got SIGTERM; runs in its signal handler."""
    for registration in _current:
        registration.drain()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def end_registration(**_: Any) -> None:
    """All tasks of the worker have ended."""
    for registration in _current:
        registration.end()
    _current.clear()
