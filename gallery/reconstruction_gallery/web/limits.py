"""Request limit: bounds the long requests of one kind that run at the same time."""

from __future__ import annotations

from collections import Counter

from starlette.exceptions import HTTPException


class RequestLimit:
    """Maximum number of running requests, of one user and in total."""

    def __init__(self, per_user: int, total: int) -> None:
        self._per_user = per_user
        self._total = total
        self._running = Counter[str]()

    def acquire(self, user: str) -> None:
        """Count a request that starts. Raises 429 if too many are running."""
        if self._running[user] >= self._per_user or self._running.total() >= self._total:
            raise HTTPException(429, "too many of these requests are running: end one, or wait", {"Retry-After": "10"})
        self._running[user] += 1

    def release(self, user: str) -> None:
        """Count a request that has ended."""
        self._running[user] -= 1
        if not self._running[user]:
            del self._running[user]
