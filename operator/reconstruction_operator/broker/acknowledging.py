"""Acknowledgement: survives a closed connection, and a refusal by Redis.

After an outage of Redis, a worker acknowledges its task over the channel that delivered the message. kombu has closed
that channel, and raises an AttributeError (https://github.com/celery/kombu/issues/582). Celery does not treat it as a
lost connection: the whole worker would end.
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
    """A request whose acknowledgement may fail: delivery is at least once, and a second delivery finds the claim and
    ends.
    """

    def acknowledge(self) -> None:
        """Acknowledge the task; failures are only logged."""
        self._try(super().acknowledge)

    def reject(self, requeue: bool = False) -> None:
        """Reject the task; failures are only logged."""
        self._try(lambda: super(LenientRequest, self).reject(requeue=requeue))

    def _try(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except (AttributeError, redis.ResponseError) as error:
            self.acknowledged = True  # no retry can succeed
            # Redis refuses for a key of the wrong type.
            why = "its connection is closed" if isinstance(error, AttributeError) else "Redis refused"
            logger.warning("Task %s could not be acknowledged: %s: %s", self.id, why, error)
