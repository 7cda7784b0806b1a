"""A thread that says "this run is alive", and hears meanwhile what is wanted of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from reconstruction_operator.state.errors import ProtocolError
from reconstruction_operator.state.replies import BeatReply
from reconstruction_operator.worker.attempt import measuring
from reconstruction_operator.worker.attempt.interruption import InterruptedRunError, Interruption, Kind

logger = logging.getLogger(__name__)

_JOIN_SECONDS = 10.0  # an answer of Redis that is under way


class Heartbeat:
    """Beats inside a `with` block. Only its own thread talks to Redis; asking it costs nothing and never blocks.

    `beat` and `cancelled` are called every `every_seconds`, half of that apart: seeing a cancel must take well under a
    second, since stopping native code can take another.
    """

    def __init__(
        self,
        *,
        beat: Callable[[], BeatReply],
        cancelled: Callable[[], bool],
        every_seconds: float,
        drain_seconds: float,
        first: BeatReply,
    ) -> None:
        self._beat = beat
        self._cancelled = cancelled
        self._pause_seconds = every_seconds / 2
        self._drain_seconds = drain_seconds
        self._drain_deadline: float | None = None  # of the monotonic clock
        self._interruption: Interruption | None = None
        self._heard = threading.Condition()
        self._closed = threading.Event()
        self._away_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._hear(first)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._thread.join(_JOIN_SECONDS)

    @property
    def interruption(self) -> Interruption | None:
        """What is wanted of the run; None: that it goes on."""
        if self._interruption is None and self._drain_deadline is not None and time.monotonic() >= self._drain_deadline:
            return Interruption(Kind.DRAINED)
        return self._interruption

    @property
    def redis_is_away(self) -> bool:
        """Whether the newest beat got no answer."""
        return self._away_since is not None

    def check(self) -> None:
        """Raises InterruptedRunError if the run must end."""
        interruption = self.interruption
        if interruption is not None:
            raise InterruptedRunError(interruption)

    def wait(self, seconds: float) -> None:
        """Waits; raises InterruptedRunError at once when the run must end."""
        deadline = time.monotonic() + seconds
        with self._heard:
            while True:
                self.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                drain = self._drain_deadline
                self._heard.wait(left if drain is None else min(left, max(0.0, drain - time.monotonic())))

    def hear_cancel(self) -> None:
        """Somebody else saw that the cancel is confirmed."""
        self._interrupt(Interruption(Kind.CANCELLED))

    def ask_now(self) -> BeatReply:
        """A beat out of turn; raises RedisError without Redis."""
        reply = self._beat()
        self._hear(reply)
        return reply

    def _run(self) -> None:
        flag_alone = True  # the claim was the first beat
        while not self._closed.wait(self._pause_seconds):
            try:
                if flag_alone:
                    if self._cancelled():
                        self.hear_cancel()
                else:
                    self._hear(self._beat())
                self._say_that_redis_is_back()
            except (RedisError, ProtocolError) as error:
                self._say_that_redis_is_away(error)
            except Exception:
                logger.exception("the heartbeat failed; it goes on")
            flag_alone = not flag_alone

    def _hear(self, reply: BeatReply) -> None:
        if reply.drain_at is not None and self._drain_deadline is None:
            # Redis's clock and ours may differ: never more than the setting, however late ours is.
            left = (reply.drain_at - datetime.now(UTC)).total_seconds()
            self._drain_deadline = time.monotonic() + min(max(left, 0.0), self._drain_seconds)
            with self._heard:
                self._heard.notify_all()
        if not reply.owned:
            self._interrupt(Interruption(Kind.OVERTAKEN))
        elif reply.cancelled:
            self.hear_cancel()
        elif reply.stop is not None:
            self._interrupt(Interruption(Kind.STOPPED, reply.stop))

    def _interrupt(self, interruption: Interruption) -> None:
        with self._heard:
            now = self._interruption
            # The first wish stands, but for two: a cancel beats a stop, and who was overtaken has nothing to say.
            if (
                now is None
                or interruption.kind is Kind.OVERTAKEN
                or (interruption.kind is Kind.CANCELLED and now.kind is not Kind.OVERTAKEN)
            ):
                self._interruption = interruption
            self._heard.notify_all()

    def _say_that_redis_is_away(self, error: Exception) -> None:
        measuring.heartbeat_failed()
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.warning("Redis does not answer; the run goes on without it: %s", error)

    def _say_that_redis_is_back(self) -> None:
        if self._away_since is not None:
            logger.warning("Redis answers again after %.0f s", time.monotonic() - self._away_since)
            self._away_since = None
