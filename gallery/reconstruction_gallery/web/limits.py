"""RequestLimit: how many long requests of a kind are under way, of one user and in all."""

from __future__ import annotations

from collections import Counter

from starlette.exceptions import HTTPException


class RequestLimit:
    """Counts requests from `take` to `free`."""

    def __init__(self, of_a_user: int, in_all: int) -> None:
        self._of_a_user = of_a_user
        self._in_all = in_all
        self._running = Counter[str]()

    def acquire(self, user: str) -> None:
        """Begins a request. Raises 429 if too many are under way."""
        if self._running[user] >= self._of_a_user or self._running.total() >= self._in_all:
            raise HTTPException(
                429, "too many of these requests are under way: end one, or wait", {"Retry-After": "10"}
            )
        self._running[user] += 1

    def release(self, user: str) -> None:
        """Ends one."""
        self._running[user] -= 1
        if not self._running[user]:
            del self._running[user]
