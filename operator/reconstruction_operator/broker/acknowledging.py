"""Acknowledging a message over a connection that was lost meanwhile, or in a Redis that has forgotten how.

A worker whose Redis went away acknowledges, when a task ends, over the channel that the message came by. kombu 5.7 has closed
that and fails with an AttributeError, which Celery does not expect from a lost connection: the whole worker would end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import redis
from celery.worker.request import Request as CeleryRequest

REQUEST = f"{__name__}:Request"
"""For the option `Request` of a task."""

logger = logging.getLogger(__name__)


class Request(CeleryRequest):  # type: ignore[misc]  # Celery has no types
    """A request that survives the end of its connection. The message comes again, and its claim makes that harmless."""

    def acknowledge(self) -> None:
        """As Celery's; a closed channel is a lost connection."""
        self._over_a_connection(super().acknowledge)

    def reject(self, requeue: bool = False) -> None:
        """As Celery's; a closed channel is a lost connection."""
        self._over_a_connection(lambda: super(Request, self).reject(requeue=requeue))

    def _over_a_connection(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except AttributeError as error:
            self.acknowledged = True  # there is nobody left to tell
            logger.warning("Task %s could not be acknowledged, its connection is closed: %s", self.id, error)
        except redis.ResponseError as error:  # the key of what is not acknowledged is of another type
            self.acknowledged = True
            logger.warning("Task %s could not be acknowledged, Redis refuses: %s", self.id, error)
