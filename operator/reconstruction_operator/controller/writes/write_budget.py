"""Write budget: how many writes a second the API server gets, found by additive increase and multiplicative decrease.

Pure: callers give monotonic seconds and the jitter. The rate

- doubles each second at first, while it is used and the server responds fast, up to the rate at which it last had to shrink;
- grows by a tenth each second beyond that;
- shrinks when the server responds slowly, cannot be reached, or has no room for a write (429, 5xx, Retry-After).

Writes that are in flight together fail together: that counts as one failure. While the budget is not used up it does not
grow, since nothing shows that the server can handle more.
"""

from __future__ import annotations

import math
from typing import Final

from reconstruction_operator.planning.times import backoff

_FIRST_PER_SECOND: Final = 100.0  # an idle server with two cores handles ten times as many
# Share of the rate by which it grows each second, beyond the rate at which it last had to shrink
_STEP_SHARE: Final = 0.1
_STEP_PER_SECOND: Final = 1.0  # the minimum growth each second
_SHRINK: Final = 0.5  # after a write that the server had no room for
_SHRINK_SLOW: Final = 0.8  # after a slow response
_FAST_SECONDS: Final = 0.5
_SLOW_SECONDS: Final = 1.0  # what Kubernetes promises for a write
_BURST_SECONDS: Final = 0.5  # the burst, in seconds of the rate
_BACKOFF_SECONDS: Final = 0.25  # after a failed write; doubles
_BACKOFF_MAX_SECONDS: Final = 1.0  # a server that has recovered is noticed within this time
_RETRY_AFTER_MAX_SECONDS: Final = 30.0  # API servers send 1; a proxy in between must not end all writes


class TokenBucket:
    """Rate limit: refilled at `per_second`, never above `burst`."""

    def __init__(self, *, per_second: float, burst: float, now: float) -> None:
        self._at = now
        self._tokens = math.inf
        self.set(per_second, burst)

    def set(self, per_second: float, burst: float) -> None:
        """Change the rate and the burst from now on."""
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._tokens = min(self._tokens, self._burst)

    def level(self, now: float) -> float:
        """Return the share of the burst that is available, 0 to 1."""
        self._refill(now)
        return self._tokens / self._burst

    def delay_seconds(self, now: float) -> float:
        """Seconds until the next token; 0 if one is available."""
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self._per_second)

    def take(self, now: float, *, ahead: bool = False) -> bool:
        """Take a token; return False if there is none. With `ahead`, the next token may be taken in advance, once."""
        self._refill(now)
        if self._tokens < (0.0 if ahead else 1.0) - 1e-9:  # rounding: the delay that was asked for has passed
            return False
        self._tokens -= 1.0
        return True

    def drain(self, until: float) -> None:
        """Keep at most one token, and add none before `until`."""
        self._tokens = min(1.0, self._tokens)
        self._at = max(self._at, until)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_second)
        self._at = max(self._at, now)


class WriteBudget:
    """The budget of all writes of one process: `least` to `most` a second."""

    def __init__(self, *, least: float, most: float, now: float) -> None:
        self._most = most
        self._least = min(least, most)
        self._threshold = most  # below it the rate doubles
        self._rate = min(_FIRST_PER_SECOND, most)
        self._bucket = TokenBucket(per_second=self._rate, burst=self._rate * _BURST_SECONDS, now=now)
        self._failures = 0  # consecutive failures over all jobs: the problem is the server's, not a job's
        self._shrunk_at = -math.inf
        self._blocked_until = -math.inf

    @property
    def per_second(self) -> float:
        """The current rate of writes."""
        return self._rate

    def delay_seconds(self, now: float) -> float:
        """Seconds until a write may be sent; 0 if one may."""
        waits = max(0.0, self._blocked_until - now)
        return waits + self._bucket.delay_seconds(now + waits)

    def take(self, now: float, *, ahead: bool = False) -> bool:
        """Count a write and return True, if one may be sent now. `ahead`: before others that wait for the next token."""
        return self._blocked_until <= now and self._bucket.take(now, ahead=ahead)

    def answered(self, begun: float, now: float) -> None:
        """Note that the server accepted a write sent at `begun`, or rejected its content."""
        self._failures = 0
        seconds = now - begun
        if seconds >= _SLOW_SECONDS:
            self._shrink(_SHRINK_SLOW, begun, now)
        elif seconds < _FAST_SECONDS and self._bucket.level(now) < 0.5:  # noqa: PLR2004  # it is the limit
            doubles = self._rate < self._threshold
            step = 1.0 if doubles else max(_STEP_SHARE, _STEP_PER_SECOND / self._rate)
            self._set(self._rate + step)

    def refused(self, begun: float, now: float, *, retry_after_seconds: float | None, jitter: float) -> float | None:
        """Note that the server had no room for a write sent at `begun`, or did not respond.

        Nothing is sent for a while. Return how long, or None if another write in flight failed before. `jitter` is a
        factor, so that replicas do not continue at the same moment.
        """
        first = begun >= self._shrunk_at
        if first:
            self._failures += 1
        self._shrink(_SHRINK, begun, now)
        pause = backoff(self._failures, _BACKOFF_SECONDS, _BACKOFF_MAX_SECONDS) * jitter
        pause = max(pause, min(retry_after_seconds or 0.0, _RETRY_AFTER_MAX_SECONDS))
        self._blocked_until = max(self._blocked_until, now + pause)
        self._bucket.drain(self._blocked_until)  # so that the writes that waited are not sent all at once
        return pause if first else None

    def _shrink(self, factor: float, begun: float, now: float) -> None:
        if begun < self._shrunk_at:  # sent at the old rate
            return
        self._shrunk_at = now
        if self._failures <= 1:  # an outage shows nothing about the rate that the server can take
            self._threshold = self._rate * factor
        self._set(self._rate * factor)

    def _set(self, rate: float) -> None:
        self._rate = min(self._most, max(self._least, rate))
        self._bucket.set(self._rate, self._rate * _BURST_SECONDS)
