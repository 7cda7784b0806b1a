"""A token bucket: so many a second, with a little room for bursts."""

from __future__ import annotations


class TokenBucket:
    """Refilled at `per_second`, never above `burst`. Knows no clock: times are monotonic seconds of the caller's."""

    def __init__(self, *, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._at = now

    def delay_seconds(self, now: float) -> float:
        """How long until a token is there; 0 if one is."""
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self._per_second)

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._refill(now)
        if self._tokens < 1.0 - 1e-9:  # rounding: the delay that was asked for has passed
            return False
        self._tokens -= 1.0
        return True

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_second)
        self._at = max(self._at, now)
