"""Intake: a worker that can start no thread and no process takes no messages until it can.

Its running attempts continue.

Each attempt that it took would end before its first step. Such an attempt is given back without a failure
(`WORKER_EXHAUSTED`), but this worker would take it again at once. The worker stays healthy: a restart would lose its
running attempts.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from reconstruction_operator import exhaustion
from reconstruction_operator.telemetry import worker_metrics
from reconstruction_operator.worker.lifecycle.bootstep import LifelongStep

logger = logging.getLogger(__name__)

_TRIAL_SECONDS: Final = 1.0

exhausted: Final = threading.Event()
"""Set while this worker takes no messages. `/healthz` and the registration in Redis report it, too."""


class Intake(LifelongStep):
    """Lets the channel of each connection ask, before it takes a message, whether an attempt could start."""

    def begin(self) -> None:
        """Do nothing: `start` is called for the first connection too."""

    def end(self) -> None:
        """Do nothing: the timer ends with the connection."""

    def start(self, consumer: Any) -> None:
        """Try once a second whether an attempt could start."""
        qos = consumer.task_consumer.channel.qos
        may_consume = qos.can_consume
        qos.can_consume = lambda: not exhausted.is_set() and may_consume()
        try_to_start()
        consumer.timer.call_repeatedly(_TRIAL_SECONDS, try_to_start)  # until Celery loses this connection


def try_to_start() -> None:
    """Try to start what an attempt needs; set or clear `exhausted`."""
    if exhaustion.has_room() is not exhausted.is_set():
        return
    if exhausted.is_set():
        exhausted.clear()
        logger.warning("this worker takes jobs again: it can start threads and processes")
    else:
        exhausted.set()
        logger.error(
            "this worker takes no jobs: its limit of processes is reached, so that it can start no "
            "thread and no process; "
            "running jobs continue"
        )
    worker_metrics.EXHAUSTED.set(exhausted.is_set())
