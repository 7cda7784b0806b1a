"""Preflight thread: checks inputs in the worker's main process, independently of the pool, even while all slots are
busy.

It takes one request at a time, and none while an earlier check hangs or while the worker drains. A request may be lost
with the worker: the operator repeats it.
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
from reconstruction_operator.contract.pools import pool_of
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Usability
from reconstruction_operator.state import calls, connections, worker_calls
from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.programs import Program
from reconstruction_operator.worker.lifecycle.bootstep import LifelongStep

logger = logging.getLogger(__name__)

_PROGRAM: Final = "reconstruction_operator.worker.preflight_program"
_CHECK_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 2.0  # for a request; shorter than any timeout of the connection
_PAUSE_SECONDS: Final = 5.0  # after an error, and while a check hangs
_JOIN_SECONDS: Final = 5.0


class PreflightThread(LifelongStep):
    """Takes requests from the lists of the worker's pools and reports the results."""

    def __init__(
        self,
        consumer: Any,
        *,
        program: str = _PROGRAM,
        check_seconds: float = _CHECK_SECONDS,
        wait_seconds: float = _WAIT_SECONDS,
        pause_seconds: float = _PAUSE_SECONDS,
        **options: Any,
    ) -> None:
        super().__init__(consumer, **options)
        self._program = program
        self._check_seconds = check_seconds
        self._wait_seconds = wait_seconds
        self._pause_seconds = pause_seconds
        self._node = str(consumer.hostname)
        self._keys = Keys()
        self._client = connections.state_client()  # a separate client, because its calls wait in Redis for requests
        self._hung: Program | None = None  # a check that could not be killed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="preflight", daemon=True)
        worker_shutting_down.connect(self._drain)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop the thread; wait for it for a few seconds at most. It is a daemon."""
        self._stopping.set()
        self._thread.join(_JOIN_SECONDS)

    @property
    def hangs(self) -> bool:
        """Whether the last check hangs although it was killed. Until it ends, no input is checked."""
        return self._hung is not None and self._hung.running

    def check(self, request: CheckRequest) -> Checked:
        """Check the input in a process, which is killed if it does not finish in time: a call on a dead mount never
        returns.

        Raises OSError if the process cannot be started.
        """
        # The process decodes photos of a folder itself, and no others.
        program = Program.start(self._program, credentials=not request.uri.lower().startswith("file:"))
        try:
            return Checked.of(program.ask(request, seconds=self._check_seconds)) or Checked(Usability.UNKNOWN)
        except OSError as error:  # also a crash or a defect, which the run itself will show
            return Checked(Usability.UNKNOWN, message=f"{uris.redacted(request.uri)} could not be checked: {error}.")
        finally:
            self._hung = None if program.end() else program

    def _drain(self, **_: Any) -> None:
        """Take no more requests. Called in the signal handler of SIGTERM."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self.hangs:
                self._stopping.wait(self._pause_seconds)
                continue
            try:
                self._work()
            except (RedisError, ValueError) as error:
                logger.warning("worker %s could not check inputs: %s", self._node, error)
                self._stopping.wait(self._pause_seconds)
            except Exception:  # no input may end the thread
                logger.exception("an input could not be checked")
                self._stopping.wait(self._pause_seconds)
        self._client.close()

    def _work(self) -> None:
        """Handle one request, or return after a moment without one."""
        queues = tuple(self.consumer.app.amqp.queues.consume_from)  # remote control may change them
        pools = sorted({pool_of(name) for name in queues})
        wait = min(self._wait_seconds, config.settings.REDIS_TIMEOUT_SECONDS / 2)
        taken: Any = self._client.brpop([self._keys.checks(pool) for pool in pools], timeout=wait)
        if taken is None:
            return
        request = CheckRequest.from_text(str(taken[1]))
        result = replace(self.check(request), token=request.token, worker=self._node)
        calls.run(self._client, worker_calls.report_check(self._keys, request.job, result))
        logger.info("the input of job %s is %s: %s", request.job.uid, result.usability.value.lower(), result.message)
