"""Listener: a thread that receives which jobs were cancelled or stopped, and makes their heartbeats beat at once.

One subscription serves all attempts of a process. No beat waits for it: a slow connection only delays hints.
The thread starts when an attempt has lasted for one beat, and ends after a while without attempts, so an idle process
holds no subscription.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from reconstruction_operator.state.interruptions import Interruptions

logger = logging.getLogger(__name__)

Look = Callable[[], None]
"""Called in the listener's thread when the job is published. It must return at once and raise nothing."""

_HEAR_SECONDS: Final = 1.0  # time in which the thread notices that no attempt is left
_DEAF_SECONDS: Final = 15.0  # between two tries to subscribe; meanwhile only beats find a cancel


class Listener:
    """Receives messages about jobs between `add` and `remove`, once `open` was called. `subscribe` opens the subscription."""

    def __init__(self, subscribe: Callable[[], Interruptions], *, idle_seconds: float = 0.0) -> None:
        self._subscribe = subscribe
        self._idle_seconds = idle_seconds
        self._looks: defaultdict[str, list[Look]] = defaultdict(list)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, job_id: str, look: Look) -> None:
        """Call `look` when that job is published."""
        with self._lock:
            self._looks[job_id].append(look)

    def remove(self, job_id: str, look: Look) -> None:
        """Stop calling `look`. A call may be under way."""
        with self._lock:
            left = [one for one in self._looks.pop(job_id, ()) if one != look]
            if left:
                self._looks[job_id] = left

    def open(self) -> None:
        """Start the thread unless it runs. Never waits and never fails: without the thread, only hints are missing."""
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="interruptions", daemon=True)
            with contextlib.suppress(RuntimeError):  # no more threads are allowed: the next beat tries again
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        subscription: Interruptions | None = None
        idle_since = time.monotonic()
        while True:
            with self._lock:
                now = time.monotonic()
                idle_since = now if self._looks else idle_since
                if not self._looks and now - idle_since >= self._idle_seconds:
                    self._thread = None
                    break
            try:
                subscription = subscription or self._subscribe()
                job_id = subscription.hear(_HEAR_SECONDS)
            except Exception as error:  # noqa: BLE001  # redis-py may find the connection closed in many ways
                logger.info("cancels are only polled for now: %s", error)
                _close(subscription)
                subscription = None
                time.sleep(_DEAF_SECONDS)
                continue
            if job_id is not None:
                self._call(job_id)
        _close(subscription)

    def _call(self, job_id: str) -> None:
        with self._lock:
            looks = list(self._looks.get(job_id, ()))
        for look in looks:
            look()


def _close(subscription: Interruptions | None) -> None:
    if subscription is not None:
        with contextlib.suppress(Exception):  # in any state
            subscription.close()
