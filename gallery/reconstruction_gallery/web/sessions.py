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
_MAX_OF_A_CLIENT: Final = 100


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user. The token is reviewed again for each request."""

    client: str
    token: str = field(repr=False)
    ends_at: float


class Sessions:
    """All sessions by the hash of their id, so that the duration of a lookup reveals nothing about the id."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # the oldest first, which ends first
        self._of_client: dict[str, dict[str, None]] = {}  # keys of sessions, the oldest first
        self._key = secrets.token_bytes(32)

    def begin(self, client: str, token: str) -> str:
        """Start a session and return its id. If the client has too many, its oldest one ends.

        If there are too many, the oldest one of the client with the most ends: whoever may create service accounts can
        sign in as often as they like.
        """
        self._expire()
        if len(self._of_client.get(client, ())) >= _MAX_OF_A_CLIENT:
            self._end_oldest_of(client)
        if len(self._sessions) >= _MAX_SESSIONS:
            self._end_oldest_of(max(self._of_client, key=lambda other: len(self._of_client[other])))
        identity = secrets.token_urlsafe(32)
        key = _hashed(identity)
        self._sessions[key] = Session(client, token, self._monotonic() + self._seconds)
        self._of_client.setdefault(client, {})[key] = None
        return identity

    def find(self, identity: str) -> Session | None:
        """Return the session with that id; None if it has ended."""
        session = self._sessions.get(_hashed(identity))
        return session if session is not None and self._monotonic() < session.ends_at else None

    def end(self, identity: str) -> None:
        """End the session with that id, if there is one."""
        self._end(_hashed(identity))

    def proof(self, of: str) -> str:
        """Return the CSRF token of a session, or of a user behind a proxy: a page of another origin cannot read it."""
        return hmac.new(self._key, of.encode(), hashlib.sha256).hexdigest()

    def _expire(self) -> None:
        now = self._monotonic()
        while self._sessions and next(iter(self._sessions.values())).ends_at <= now:
            self._end(next(iter(self._sessions)))

    def _end_oldest_of(self, client: str) -> None:
        self._end(next(iter(self._of_client[client])))

    def _end(self, key: str) -> None:
        if (session := self._sessions.pop(key, None)) is not None:
            of_client = self._of_client[session.client]
            del of_client[key]
            if not of_client:
                del self._of_client[session.client]


def _hashed(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()
