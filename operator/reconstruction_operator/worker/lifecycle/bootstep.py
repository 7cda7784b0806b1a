"""Bootstep base class: begins with the worker's first connection and ends after its pool.

Celery itself offers two other lifetimes. A bootstep of the worker that starts after the pool is stopped before the
pool, which may drain long after that. A bootstep of the consumer is stopped and started at each lost connection
(https://github.com/celery/celery/issues/3944). Only `shutdown` of a consumer's bootstep comes once, after the pool.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps


class LifelongStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """A bootstep of the consumer. Subclasses define `begin` and `end`, each of which is called at most once."""

    requires: tuple[str, ...] = ("celery.worker.consumer:Tasks",)  # by then the worker consumes its queues

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.consumer = consumer
        self._has_begun = False

    def begin(self) -> None:
        """Begin, in the main process, after the pool has forked for the first time."""
        raise NotImplementedError

    def end(self) -> None:
        """End, after all tasks have ended. Called only if `begin` was called."""
        raise NotImplementedError

    def start(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Call `begin` at the first connection to the broker; later calls are reconnections."""
        if not self._has_begun:
            self._has_begun = True
            self.begin()

    def stop(self, consumer: Any) -> None:
        """Do nothing: Celery has lost its connection to the broker, or is about to wait for its pool."""

    def shutdown(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Call `end`: the pool has ended."""
        if self._has_begun:
            self.end()

    @property
    def concurrency(self) -> int:
        """How many tasks the worker's pool runs at once."""
        pool = self.consumer.pool
        return int(getattr(pool, "num_processes", None) or getattr(pool, "limit", None) or 1)
