"""Pulse: a thread that beats for a few attempts of a process.

A thread for each attempt would cost more than a short attempt itself. A single thread for many attempts would beat too late if Redis is
slow, since it beats for one after another. The thread starts with the first attempt, and ends after a while without attempts, so an
idle process never wakes up.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import partial
from typing import Final, NamedTuple, Protocol

import redis
from redis.exceptions import RedisError

from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.services import job_manager
from reconstruction_operator.state.interruptions import Interruptions
from reconstruction_operator.worker.heartbeat.listener import Listener, Look

logger = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 30.0  # the thread ends after this time without an attempt
# Attempts of a thread: if Redis replies after 1 s, each beats every 8 s, and its key expires after 10 s
_ATTEMPTS_AT_MOST: Final = 4


class Beating(Protocol):
    """The heartbeat of one attempt."""

    job_id: str
    pause_seconds: float  # between two turns

    def take_turn(self) -> RedisError | None:
        """Beat, or read the cancel flag. Return the connection error, or None. An error reply from Redis is not a connection error."""

    def look_now(self) -> None:
        """Beat out of turn: the job was cancelled, or one of its attempts has to stop."""

    def miss_turn(self, error: RedisError) -> None:
        """Skip a turn: the turn of another attempt has just found Redis unavailable."""


class _Known(NamedTuple):
    """The monotonic time of an attempt's next turn, and the function that the listener calls for it."""

    due_at: float
    look: Look


class Pulse:
    """Beats for attempts between `add` and `remove`, and when `listener` receives a message about one.

    Without a listener, only beats find a cancel.
    """

    def __init__(self, listener: Listener | None = None, *, idle_seconds: float = 0.0) -> None:
        self._listener = listener
        self._idle_seconds = idle_seconds
        self._known: dict[Beating, _Known] = {}
        self._asked: dict[Beating, None] = {}  # attempts that have to beat out of turn
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._idle_at = 0.0  # monotonic time at which the thread ends unless an attempt is added

    @property
    def has_room(self) -> bool:
        """Whether the pulse may beat for one more attempt."""
        return len(self._known) < _ATTEMPTS_AT_MOST

    def add(self, one: Beating) -> None:
        """Beat for this attempt from now on."""
        look = partial(self._ask, one)
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                thread.start()  # raises if no more threads are allowed: this attempt fails, and the next one tries again
                self._thread = thread
            self._known[one] = _Known(time.monotonic() + one.pause_seconds, look)
            self._changed.notify()
        if self._listener is not None:
            self._listener.add(one.job_id, look)

    def remove(self, one: Beating) -> None:
        """Stop beating for this attempt. A turn of it may be under way."""
        with self._changed:
            known = self._known.pop(one, None)
            self._asked.pop(one, None)
            if not self._known:
                self._idle_at = time.monotonic() + self._idle_seconds
                self._changed.notify()
        if known is not None and self._listener is not None:
            self._listener.remove(one.job_id, known.look)

    def _ask(self, one: Beating) -> None:
        with self._changed:
            if one in self._known:
                self._asked[one] = None
                self._changed.notify()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            asked, due = work
            for one in asked:
                try:
                    one.look_now()
                except Exception:  # a defect of one attempt must not end the beats of all
                    logger.exception("a heartbeat of job %s failed", one.job_id)
            self._beat(due)

    def _next(self) -> tuple[list[Beating], list[Beating]] | None:
        """Wait for attempts that are due; return those out of turn and those in turn. Return None after a long time without attempts."""
        with self._changed:
            while True:
                now = time.monotonic()
                asked = list(self._asked)
                self._asked.clear()
                due = [one for one, known in self._known.items() if known.due_at <= now]
                for one in due:
                    self._known[one] = self._known[one]._replace(due_at=now + one.pause_seconds)
                if asked or due:
                    return asked, due
                if not self._known and now >= self._idle_at:
                    self._thread = None
                    return None
                self._changed.wait(min((known.due_at for known in self._known.values()), default=self._idle_at) - now)

    def _beat(self, due: list[Beating]) -> None:
        error: RedisError | None = None
        for one in due:
            try:
                if error is None:
                    error = one.take_turn()
                else:
                    one.miss_turn(error)
            except Exception:  # as in `_run`
                logger.exception("a heartbeat of job %s failed", one.job_id)
        if due and error is None and self._listener is not None:
            self._listener.open()


class _OfProcess:
    """The pulses of this process, and their listener on the Redis with the job state."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.listener = Listener(lambda: Interruptions(client, Keys()), idle_seconds=_IDLE_SECONDS)
        self.pulses: list[Pulse] = []


_of_process: Final[list[_OfProcess]] = []  # at most one
_lock: Final = threading.Lock()


def of_process() -> Pulse:
    """Return a pulse of this process that has room, with a listener on the Redis with the job state."""
    client = job_manager.get_redis_client()
    with _lock:
        if not _of_process or _of_process[0].client is not client:
            _of_process[:] = [_OfProcess(client)]
        shared = _of_process[0]
        found = next((one for one in shared.pulses if one.has_room), None)
        if found is None:
            found = Pulse(shared.listener, idle_seconds=_IDLE_SECONDS)
            shared.pulses.append(found)
        return found


os.register_at_fork(after_in_child=_of_process.clear)  # no thread survives a fork
