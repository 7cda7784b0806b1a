"""Sessions: a random id in a cookie identifies a token, which stays on the server. They end with the process."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_MAX_SESSIONS: Final = 10_000
_MAX_OF_A_USER: Final = 20


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user. The token is reviewed again for each request."""

    user: str
    token: str = field(repr=False)
    ends_at: float


class Sessions:
    """All sessions by the hash of their id, so that the duration of a lookup reveals nothing about the id."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._key = secrets.token_bytes(32)

    def begin(self, user: str, token: str) -> str:
        """Start a session and return its id. If the user has too many, the oldest one ends."""
        self._expire()
        of_user = [key for key, session in self._sessions.items() if session.user == user]
        for key in of_user[: max(0, len(of_user) + 1 - _MAX_OF_A_USER)]:
            del self._sessions[key]
        if len(self._sessions) >= _MAX_SESSIONS:
            self._sessions.popitem(last=False)
        identity = secrets.token_urlsafe(32)
        self._sessions[_hashed(identity)] = Session(user, token, self._monotonic() + self._seconds)
        return identity

    def find(self, identity: str) -> Session | None:
        """Return the session with that id; None if it has ended."""
        session = self._sessions.get(_hashed(identity))
        return session if session is not None and self._monotonic() < session.ends_at else None

    def end(self, identity: str) -> None:
        """End the session with that id, if there is one."""
        self._sessions.pop(_hashed(identity), None)

    def proof(self, of: str) -> str:
        """Return the CSRF token of a session, or of a user behind a proxy: a page of another origin cannot read it."""
        return hmac.new(self._key, of.encode(), hashlib.sha256).hexdigest()

    def _expire(self) -> None:
        now = self._monotonic()
        for key in [key for key, session in self._sessions.items() if session.ends_at <= now]:
            del self._sessions[key]


def _hashed(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()
