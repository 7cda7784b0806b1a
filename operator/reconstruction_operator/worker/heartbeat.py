"""Heartbeat: a thread that keeps an attempt's claim alive and reads from Redis whether the run has to end.

Each attempt has its own thread, so that no call to Redis that hangs delays the beats of another attempt.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Self

from redis.exceptions import RedisError

from reconstruction_operator import exhaustion
from reconstruction_operator.state.calls import ProtocolError
from reconstruction_operator.state.replies import BeatReply
from reconstruction_operator.telemetry import relay, worker_metrics
from reconstruction_operator.worker.interruption import InterruptedRunError, Interruption, InterruptionKind

logger = logging.getLogger(__name__)

_LAST_CALL_SECONDS = 10.0  # wait for a call that is under way
_POLLS = 5  # of Redis from one beat to the next, with that
_FRESH_SECONDS = 1.0  # too short for a worker to count as lost and for a successor to start


class Heartbeat:
    """Beats inside a `with` block. `check` and `interruption` never block.

    `beat` is called every `every_seconds`, and `cancelled` four times between two beats: a cancel is found within a
    fifth of that time, a stop within all of it. Stopping native code can take another second.
    `first` is the reply to the claim sent at `first_asked_at` (monotonic seconds).
    """

    def __init__(
        self,
        *,
        beat: Callable[[], BeatReply],
        cancelled: Callable[[], bool],
        every_seconds: float,
        drain_seconds: float,
        first: BeatReply,
        first_asked_at: float,
    ) -> None:
        self._pause_seconds = every_seconds / _POLLS
        self._beat = beat
        self._cancelled = cancelled
        self._drain_seconds = drain_seconds
        self._drain_deadline: float | None = None  # monotonic time
        self._interruption: Interruption | None = None
        self._heard = threading.Condition()
        self._calling = threading.Lock()
        self._over = threading.Event()
        self._away_since: float | None = None
        self._asked_at = first_asked_at
        self._context = copy_context()  # names the job in the log lines of the thread
        self._handle(first)

    def __enter__(self) -> Self:
        """Raise ExhaustedError if the thread cannot be started."""
        with exhaustion.starting():
            threading.Thread(target=self._context.run, args=(self._run,), name="heartbeat", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cease()

    def cease(self) -> None:
        """Stop beating. Return when no beat is under way."""
        self._over.set()
        if self._calling.acquire(timeout=_LAST_CALL_SECONDS):
            self._calling.release()

    @property
    def interruption(self) -> Interruption | None:
        """The reason for which the run has to end; None if it may continue."""
        if self._interruption is None and self._drain_deadline is not None and time.monotonic() >= self._drain_deadline:
            return Interruption(InterruptionKind.DRAINED)
        return self._interruption

    @property
    def superseded(self) -> bool:
        """Whether the attempt belongs to another run."""
        return self._interruption is not None and self._interruption.kind is InterruptionKind.SUPERSEDED

    @property
    def redis_is_away(self) -> bool:
        """Whether Redis did not reply to the newest beat."""
        return self._away_since is not None

    def check(self) -> None:
        """Raise InterruptedRunError if the run has to end."""
        interruption = self.interruption
        if interruption is not None:
            raise InterruptedRunError(interruption)

    def wait(self, seconds: float) -> None:
        """Wait. Raise InterruptedRunError as soon as the run has to end."""
        deadline = time.monotonic() + seconds
        with self._heard:
            while True:
                self.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                drain = self._drain_deadline
                self._heard.wait(left if drain is None else min(left, max(0.0, drain - time.monotonic())))

    def note_cancel(self) -> None:
        """Interrupt the run because its cancel is confirmed."""
        self._interrupt(Interruption(InterruptionKind.CANCELLED))

    def ask_now(self) -> BeatReply:
        """Beat at once, in the caller's thread. Raise RedisError or ProtocolError without a valid reply."""
        asked_at = time.monotonic()
        reply = self._beat()
        self._asked_at = asked_at
        self._handle(reply)
        return reply

    def confirm(self) -> bool:
        """Beat at once; return whether Redis confirms that the attempt belongs to this run. Without a reply: False."""
        try:
            return self.ask_now().owned
        except (RedisError, ProtocolError):
            return False

    def refresh(self) -> None:
        """Beat at once, unless Redis replied a moment ago: the run may have been paused since its last beat."""
        if time.monotonic() - self._asked_at > _FRESH_SECONDS:
            self.confirm()

    def poll(self, *, flag_alone: bool = False) -> bool:
        """Beat, or only read the cancel flag, unless the heartbeat has ceased. Return whether Redis replied."""
        with self._calling:
            if self._over.is_set():  # no beat may come after the last action of the run
                return False
            try:
                if not flag_alone:
                    self.ask_now()
                elif self._cancelled():
                    self.note_cancel()
            except (RedisError, ProtocolError) as error:
                self._log_outage(error)
                return False
            except Exception:
                logger.exception("the heartbeat failed; retrying")
                return False
            self._log_return()
            return True

    def _run(self) -> None:
        polls = 0  # since the last beat; the claim was the first
        while not self._over.wait(self._pause_seconds):
            polls = (polls + 1) % _POLLS
            self.poll(flag_alone=polls > 0 and not self.redis_is_away)

    def _handle(self, reply: BeatReply) -> None:
        if reply.drain_at is not None and self._drain_deadline is None:
            # The clocks of Redis and this machine may differ: never wait longer than the setting.
            left = (reply.drain_at - datetime.now(UTC)).total_seconds()
            self._drain_deadline = time.monotonic() + min(max(left, 0.0), self._drain_seconds)
            with self._heard:
                self._heard.notify_all()
        if not reply.owned:
            self._interrupt(Interruption(InterruptionKind.SUPERSEDED))
        elif reply.cancelled:
            self.note_cancel()
        elif reply.stop is not None:
            self._interrupt(Interruption(InterruptionKind.STOPPED, reply.stop))

    def _interrupt(self, interruption: Interruption) -> None:
        with self._heard:
            now = self._interruption
            # The first interruption wins, except: CANCELLED overrides STOPPED, SUPERSEDED overrides all.
            if (
                now is None
                or interruption.kind is InterruptionKind.SUPERSEDED
                or (interruption.kind is InterruptionKind.CANCELLED and not self.superseded)
            ):
                self._interruption = interruption
            self._heard.notify_all()

    def _log_outage(self, error: Exception) -> None:
        relay.report(worker_metrics.HEARTBEAT_FAILURES, 1)
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.warning("Redis is unavailable; the run continues: %s", error)

    def _log_return(self) -> None:
        if self._away_since is not None:
            logger.warning("Redis is available again after %.0f s", time.monotonic() - self._away_since)
            self._away_since = None
