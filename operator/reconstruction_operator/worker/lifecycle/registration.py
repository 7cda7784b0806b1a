"""Registration: reports to the operator, through Redis, that a worker exists, which queues it consumes, and when it
drains.

One thread of the worker's main process does this, with any pool. Only this thread calls Redis, so neither a signal
handler nor the worker's start waits for Redis.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery.signals import worker_shutting_down
from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.contract import announcement, pools
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles.inventory import Inventory
from reconstruction_operator.state import calls, connections, worker_calls
from reconstruction_operator.worker.attempt.ownership import LIFE
from reconstruction_operator.worker.lifecycle.bootstep import LifelongStep
from reconstruction_operator.worker.lifecycle.intake import exhausted
from reconstruction_operator.worker.model.selection import announced_models

logger = logging.getLogger(__name__)
T = TypeVar("T")

_MAX_PERIOD_SECONDS = 5.0
_RETRY_SECONDS = 0.5  # before the next try to record the drain
_JOIN_SECONDS = 5.0


class Registration(LifelongStep):
    """Registers the worker at regular intervals until it drains, and unregisters it when it ends."""

    def __init__(
        self,
        consumer: Any,
        *,
        max_period_seconds: float = _MAX_PERIOD_SECONDS,
        retry_seconds: float = _RETRY_SECONDS,
        **options: Any,
    ) -> None:
        super().__init__(consumer, **options)
        self._max_period_seconds = max_period_seconds
        self._retry_seconds = retry_seconds
        self._node = str(consumer.hostname)
        self._keys = Keys()
        self._client = connections.state_client()  # the tasks' client must not be in use while a pool forks
        self._inventory = Inventory(self._client, self._keys)
        self._epoch = ""
        self._announced = ""
        self._announced_at: float | None = None  # monotonic time; None: now
        self._draining = threading.Event()
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registration", daemon=True)
        worker_shutting_down.connect(self._drain)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Unregister; wait for Redis for a few seconds at most."""
        self._ended.set()
        self._wake.set()
        self._thread.join(_JOIN_SECONDS)

    def _drain(self, **_: Any) -> None:
        """Report that the worker takes no more messages. Called in the signal handler of SIGTERM."""
        self._draining.set()
        self._wake.set()

    def _run(self) -> None:
        drain_recorded = False
        while not self._ended.is_set():
            pause: float | None = min(self._max_period_seconds, config.settings.WORKER_TTL_SECONDS / 3)
            if not self._draining.is_set():
                self._register()
            elif not drain_recorded:
                draining = worker_calls.start_draining(self._keys, self._node, LIFE, config.settings.DRAIN_SECONDS)
                drain_recorded = self._try("record its drain", draining)
                pause = None if drain_recorded else self._retry_seconds
            else:
                pause = None
            self._wake.wait(pause)
            self._wake.clear()
        self._try("unregister", worker_calls.unregister_worker(self._keys, self._node))
        self._client.close()

    def _register(self) -> None:
        if self._announced_at is None or time.monotonic() - self._announced_at >= worker_calls.ANNOUNCE_SECONDS:
            self._announce()
        call = worker_calls.register_worker(
            self._keys,
            node=self._node,
            # Remote control may change them. An exhausted worker serves none.
            queues=() if exhausted.is_set() else pools.of_jobs(self.consumer.app.amqp.queues.consume_from),
            announced=self._announced,
        )
        self._try("register", call, self._enter_epoch)

    def _announce(self) -> None:
        """Announce the models. Until that succeeds, the operator knows no models of this worker."""
        text = announcement.to_text(announced_models())
        is_announced = self._try("announce its models", worker_calls.announce(self._keys, text))
        self._announced = announcement.digest(text)
        self._announced_at = time.monotonic() if is_announced else None

    def _enter_epoch(self, epoch: str) -> None:
        if epoch != self._epoch:  # Redis may have lost the announcement
            self._epoch, self._announced_at = epoch, None
        self._inventory.epoch_is(epoch)

    def _try(self, what: str, call: calls.Call[T], then: Callable[[T], None] = lambda _: None) -> bool:
        try:
            reply = calls.run(self._client, call)
        except (RedisError, calls.ProtocolError) as error:
            logger.warning("worker %s could not %s: %s", self._node, what, error)
            return False
        then(reply)
        return True
