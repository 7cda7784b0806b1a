"""Supervision: stops the process when one of its tasks ends, and measures the lag of the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Final

from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_LAG_PERIOD_SECONDS: Final = 0.5
_CANCEL_SECONDS: Final = 0.5


class Supervisor:
    """Supervises the long-running tasks. If one ends, `stopping` is set: the process ends, to be restarted."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self.stopping = stopping
        self.crashed: dict[str, BaseException | None] = {}  # by the task's name; None: it returned
        self.lag_seconds = 0.0  # by which a short sleep in the event loop took too long
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until the process ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    async def stop(self, *names: str) -> None:
        """Cancel the tasks with these names, or all tasks, and wait until they have ended.

        A task that goes on is cancelled again: `asyncio.wait_for`, in which redis-py sends each command, loses a
        cancellation that comes while its work completes (Python 3.11; https://github.com/python/cpython/issues/86296).
        """
        ending = {task for task in self._tasks if not names or task.get_name() in names}
        self._tasks = [task for task in self._tasks if task not in ending]
        for task in ending:
            task.remove_done_callback(self._ended)
        while ending:
            for task in ending:
                task.cancel()
            _, ending = await asyncio.wait(ending, timeout=_CANCEL_SECONDS)
            if ending:
                going = ", ".join(sorted(task.get_name() for task in ending))
                _log.warning("Running %.1f s after a cancellation, so cancelled again: %s", _CANCEL_SECONDS, going)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        name = task.get_name()
        self.crashed[name] = error
        _log.critical("The task %r ended; the operator stops, to be restarted", name, exc_info=error)
        self.stopping.set()

    async def measure_lag(self) -> None:
        """Measure until cancelled how late the event loop is."""
        while True:
            started = time.monotonic()
            await asyncio.sleep(_LAG_PERIOD_SECONDS)
            self.lag_seconds = max(0.0, time.monotonic() - started - _LAG_PERIOD_SECONDS)
            metrics.LOOP_LAG.set(self.lag_seconds)
