"""Listener: the subscription by which a heartbeat hears at once that its job was cancelled or stopped. Without it, beats find that later."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.services import job_manager

logger = logging.getLogger(__name__)

_HEAR_SECONDS: Final = 1.0  # time in which the thread notices that its attempt is over
_DEAF_SECONDS: Final = 15.0  # between two tries to subscribe


def _pubsub() -> Any:
    client: Any = job_manager.get_redis_client()  # redis-py has not annotated `pubsub`
    return client.pubsub(ignore_subscribe_messages=True)


class Listener:
    """The hints about one job, for one thread. No method raises an error of Redis."""

    def __init__(self, job_id: str, pubsub: Callable[[], Any] = _pubsub) -> None:
        self._job_id = job_id
        self._pubsub = pubsub
        self._subscription: Any = None  # redis.client.PubSub, which has no types
        self._deaf_until = 0.0  # monotonic time

    def open(self) -> None:
        """Subscribe, unless a subscription exists or failed a moment ago. Call it after a beat has shown that Redis responds."""
        if self._subscription is None and time.monotonic() >= self._deaf_until:
            try:
                self._subscription = self._pubsub()
                self._subscription.subscribe(Keys().interruptions())
            except Exception as error:  # noqa: BLE001  # redis-py may find the connection closed in many ways
                self._give_up(error)

    def wait(self, seconds: float, over: threading.Event) -> bool:
        """Wait that long, or until the job is published, the subscription fails or `over` is set. Return whether it was published."""
        if self._subscription is None:
            over.wait(seconds)
            return False
        until = time.monotonic() + seconds
        try:
            while not over.is_set() and (left := until - time.monotonic()) > 0:
                message = self._subscription.get_message(timeout=min(left, _HEAR_SECONDS))
                if message is not None and message["data"] == self._job_id:
                    return True
        except Exception as error:  # noqa: BLE001  # as above
            self._give_up(error)
        return False

    def close(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            with contextlib.suppress(Exception):  # in any state
                self._subscription.close()
            self._subscription = None

    def _give_up(self, error: Exception) -> None:
        logger.info("cancels are only polled for now: %s", error)
        self.close()
        self._deaf_until = time.monotonic() + _DEAF_SECONDS
