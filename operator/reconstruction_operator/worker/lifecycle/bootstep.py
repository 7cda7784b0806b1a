"""Bootstep base class: begins with the worker's first connection, ends once its pool has ended.

Celery itself offers two other lifetimes. A bootstep of the worker that starts after the pool is stopped before the pool, which
may drain long after that. A bootstep of the consumer is stopped and started at each lost connection
(https://github.com/celery/celery/issues/3944). Only `shutdown` of a consumer's bootstep comes once, after the pool.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps


class LifelongStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """A bootstep of the consumer. Subclasses define `begin` and `end`, each of which is called at most once."""

    requires = ("celery.worker.consumer:Tasks",)  # the worker consumes its queues by then

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.consumer = consumer
        self._has_begun = False

    def begin(self) -> None:
        """Called in the main process, after the pool has forked for the first time."""
        raise NotImplementedError

    def end(self) -> None:
        """Called when all tasks have ended, if `begin` was called."""
        raise NotImplementedError

    def start(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Celery has connected to the broker, perhaps not for the first time."""
        if not self._has_begun:
            self._has_begun = True
            self.begin()

    def stop(self, consumer: Any) -> None:
        """Celery has lost its connection to the broker, or is about to wait for its pool: nothing to do."""

    def shutdown(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """The pool has ended."""
        if self._has_begun:
            self.end()

    @property
    def concurrency(self) -> int:
        """How many tasks the worker runs at once, as its pool says."""
        pool = self.consumer.pool
        return int(getattr(pool, "num_processes", None) or getattr(pool, "limit", None) or 1)
