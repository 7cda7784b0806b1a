"""Pulse: a thread that beats for a few attempts of a process, and hears at once which of them has to end.

A thread for each attempt would cost more than a short attempt itself; one for all would beat too late if a process has many attempts
and Redis is slow, since it asks for one after another. The thread starts with the first attempt, and ends when there was none for a
while: then an idle process holds no subscription and never wakes up.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

import redis
from redis.exceptions import RedisError

from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.services import job_manager
from reconstruction_operator.state.interruptions import Interruptions

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS: Final = 0.5  # by then the thread has noticed an attempt that began meanwhile
_IDLE_SECONDS: Final = 30.0  # without an attempt, after which the thread ends
_ATTEMPTS_AT_MOST: Final = (
    4  # of a thread: with answers after a second, each beats every 8 s, and its key lives for 10 s
)
_DEAF_SECONDS: Final = 15.0  # between two tries to subscribe; meanwhile the beats find a cancel


class Beating(Protocol):
    """The heartbeat of one attempt."""

    job_id: str
    pause_seconds: float  # between two turns

    def take_turn(self) -> RedisError | None:
        """Beat, or look for a cancel; returns why Redis did not answer. An error that Redis answers is none."""

    def look_now(self) -> None:
        """Beat out of turn: the job was cancelled, or one of its attempts has to stop."""

    def miss_turn(self, error: RedisError) -> None:
        """Redis has just not answered another attempt, and is not asked again."""


class Pulse:
    """Beats for attempts from `add` to `remove`. `subscribe` opens the subscription; None: beats alone find a cancel."""

    def __init__(self, subscribe: Callable[[], Interruptions] | None = None, *, idle_seconds: float = 0.0) -> None:
        self._subscribe = subscribe
        self._idle_seconds = idle_seconds
        self._due_at: dict[Beating, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._subscription: Interruptions | None = None
        self._subscribe_at = 0.0

    @property
    def has_room(self) -> bool:
        """Whether it may beat for one more attempt."""
        return len(self._due_at) < _ATTEMPTS_AT_MOST

    def add(self, one: Beating) -> None:
        """Beat for this attempt from now on."""
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                thread.start()  # at the limit of threads it raises: then this attempt fails, and the next one tries again
                self._thread = thread
            self._due_at[one] = time.monotonic() + one.pause_seconds

    def remove(self, one: Beating) -> None:
        """Beat no more for it. A turn of it may be under way."""
        with self._lock:
            self._due_at.pop(one, None)

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            with self._lock:
                now = time.monotonic()
                idle_since = now if self._due_at else idle_since
                if not self._due_at and now - idle_since >= self._idle_seconds:
                    self._thread = None
                    break
                due = [one for one, at in self._due_at.items() if at <= now]
                for one in due:
                    self._due_at[one] = now + one.pause_seconds
                next_at = min(self._due_at.values(), default=now + _LONGEST_PAUSE_SECONDS)
            self._beat(due)
            self._listen(min(max(0.0, next_at - time.monotonic()), _LONGEST_PAUSE_SECONDS))
        self._forget_subscription()

    def _beat(self, due: list[Beating]) -> None:
        error: RedisError | None = None
        for one in due:
            try:
                if error is None:
                    error = one.take_turn()
                else:
                    one.miss_turn(error)
            except Exception:  # what is wrong with one attempt must not end the beats of all
                logger.exception("a heartbeat of job %s failed", one.job_id)
        if error is None and self._subscription is None and due:
            self._open_subscription()

    def _open_subscription(self) -> None:
        now = time.monotonic()
        if self._subscribe is None or now < self._subscribe_at:
            return
        self._subscribe_at = now + _DEAF_SECONDS
        try:
            self._subscription = self._subscribe()
        except Exception as error:  # noqa: BLE001  # a hint alone is missing: nothing may end the beats
            logger.info("cancels are only polled for now: %s", error)

    def _forget_subscription(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(Exception):  # whatever state it is in
                subscription.close()

    def _listen(self, seconds: float) -> None:
        """Wait for that time, or until something was published."""
        if self._subscription is None:
            time.sleep(seconds)
            return
        try:
            job_id = self._subscription.hear(seconds)
        except Exception as error:  # noqa: BLE001  # as above; redis-py may find the connection closed in many ways
            logger.info("cancels are only polled for now: %s", error)
            self._forget_subscription()
            return
        if job_id is not None:
            with self._lock:
                meant = [one for one in self._due_at if one.job_id == job_id]
            for one in meant:
                try:
                    one.look_now()
                except Exception:  # as in `_beat`
                    logger.exception("a heartbeat of job %s failed", one.job_id)


_pulses: Final[dict[redis.Redis, list[Pulse]]] = {}  # of one client at most
_lock: Final = threading.Lock()


def of_process() -> Pulse:
    """A pulse of this process that has room, which listens where the job state is."""
    client = job_manager.get_redis_client()
    with _lock:
        if client not in _pulses:
            _pulses.clear()
        pulses = _pulses.setdefault(client, [])
        found = next((one for one in pulses if one.has_room), None)
        if found is None:
            found = Pulse(lambda: Interruptions(client, Keys()), idle_seconds=_IDLE_SECONDS)
            pulses.append(found)
        return found


os.register_at_fork(after_in_child=_pulses.clear)  # no thread survives a fork
