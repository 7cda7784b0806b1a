"""Acknowledgement that survives a closed connection, or a Redis that refuses it.

After an outage of Redis, a worker acknowledges its task over the channel that the message came by. kombu has closed that channel,
and fails with an AttributeError (https://github.com/celery/kombu/issues/582). Celery does not treat that as a lost connection:
the whole worker would end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import redis
from celery.worker.request import Request

REQUEST = f"{__name__}:LenientRequest"
"""For the option `Request` of a task."""

logger = logging.getLogger(__name__)


class LenientRequest(Request):  # type: ignore[misc]  # Celery has no types
    """A request whose acknowledgement may fail: delivery is at least once, and a second delivery finds the claim and ends."""

    def acknowledge(self) -> None:
        """As Celery's, except that failures are only logged."""
        self._try(super().acknowledge)

    def reject(self, requeue: bool = False) -> None:
        """As Celery's, except that failures are only logged."""
        self._try(lambda: super(LenientRequest, self).reject(requeue=requeue))

    def _try(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except AttributeError as error:
            self.acknowledged = True  # no retry can succeed
            logger.warning("Task %s could not be acknowledged, its connection is closed: %s", self.id, error)
        except redis.ResponseError as error:  # as for a key of the wrong type
            self.acknowledged = True
            logger.warning("Task %s could not be acknowledged, Redis refuses: %s", self.id, error)
