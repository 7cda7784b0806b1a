"""Sessions: a cookie's random id stands for a token that the browser never sees again. They end with the process."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_MOST: Final = 10_000
_MOST_OF_A_USER: Final = 20


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user. The token is reviewed again for each request."""

    user: str
    token: str = field(repr=False)
    ends_at: float


class Sessions:
    """All sessions, found by the hash of their id, so that the time of a comparison reveals nothing about a guess."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._key = secrets.token_bytes(32)

    def begin(self, user: str, token: str) -> str:
        """A new session; returns its id. A user's oldest session ends when there are too many."""
        self._expire()
        of_user = [key for key, one in self._sessions.items() if one.user == user]
        for key in of_user[: max(0, len(of_user) + 1 - _MOST_OF_A_USER)]:
            del self._sessions[key]
        if len(self._sessions) >= _MOST:
            self._sessions.popitem(last=False)
        identity = secrets.token_urlsafe(32)
        self._sessions[_hashed(identity)] = Session(user, token, self._monotonic() + self._seconds)
        return identity

    def find(self, identity: str) -> Session | None:
        """The session with that id, unless it has ended."""
        session = self._sessions.get(_hashed(identity))
        return session if session is not None and self._monotonic() < session.ends_at else None

    def end(self, identity: str) -> None:
        """Ends it."""
        self._sessions.pop(_hashed(identity), None)

    def proof(self, of: str) -> str:
        """The CSRF token of a session, or of a user behind a proxy: a page of another origin cannot read it."""
        return hmac.new(self._key, of.encode(), hashlib.sha256).hexdigest()

    def _expire(self) -> None:
        now = self._monotonic()
        for key in [key for key, one in self._sessions.items() if one.ends_at <= now]:
            del self._sessions[key]


def _hashed(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()
