"""Preflight thread: checks inputs in the worker's main process, independently of the pool, even while all slots are busy.

It takes one request at a time, and none while an earlier check hangs or while the worker drains. A request may be lost with the worker: the
operator repeats it.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Any, Final

from celery.signals import worker_shutting_down
from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.preflight import CheckRequest
from reconstruction_operator.state import calls, connections, worker_calls
from reconstruction_operator.worker.lifecycle.bootstep import LifelongStep
from reconstruction_operator.worker.preflight.process import PreflightProcess

logger = logging.getLogger(__name__)

_WAIT_SECONDS: Final = 2.0  # for a request; shorter than any timeout of the connection
_PAUSE_SECONDS: Final = 5.0  # after an error, and while a check hangs
_JOIN_SECONDS: Final = 5.0


class PreflightThread(LifelongStep):
    """Takes requests from the lists of the worker's pools and reports the results."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._node = str(consumer.hostname)
        self._keys = Keys()
        self._client = connections.state_client()  # a separate client, because its calls wait in Redis for requests
        self._process = PreflightProcess()
        self._stopping = threading.Event()
        self._is_refused = False
        self._thread = threading.Thread(target=self._run, name="preflight", daemon=True)
        worker_shutting_down.connect(self._drain)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop the thread; wait for it for a few seconds at most. It is a daemon."""
        self._stopping.set()
        self._thread.join(_JOIN_SECONDS)

    def _drain(self, **_: Any) -> None:
        """Take no more requests. Called in the signal handler of SIGTERM."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._process.hangs:
                self._stopping.wait(_PAUSE_SECONDS)
                continue
            try:
                self._work()
            except (RedisError, ValueError) as error:
                self._log_failure(error)
                self._stopping.wait(_PAUSE_SECONDS)
            except Exception:  # no input may end the thread
                logger.exception("an input could not be checked")
                self._stopping.wait(_PAUSE_SECONDS)
        self._client.close()

    def _work(self) -> None:
        """Wait for a request for a moment; check its input and report the result."""
        names = [self._keys.checks(pool) for pool in self._pools()]
        wait = min(_WAIT_SECONDS, config.settings.REDIS_TIMEOUT_SECONDS / 2)
        taken: Any = self._client.brpop(names, timeout=wait)
        if taken is None:
            return
        request = CheckRequest.from_text(str(taken[1]))
        found = replace(self._process.perform(request), token=request.token, worker=self._node)
        call = worker_calls.report_check(self._keys, request.install_id, request.job_id, found)
        calls.run(self._client, call)
        logger.info("the input of job %s is %s: %s", request.job_id, found.verdict.value.lower(), found.message)

    def _pools(self) -> list[str]:
        queues = tuple(self.consumer.app.amqp.queues.consume_from)  # remote control may change them
        return sorted({name.removesuffix("-high").removesuffix("-low") for name in queues})

    def _log_failure(self, error: Exception) -> None:
        """Warn once: with the permissions of an earlier version, Redis rejects every request."""
        log = logger.debug if self._is_refused else logger.warning
        log("worker %s could not check inputs: %s", self._node, error)
        self._is_refused = True
