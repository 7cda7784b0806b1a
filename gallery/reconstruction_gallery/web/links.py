"""Links: each shows one job's result to everyone who has it, until it expires.

The gallery signs them and stores none.
"""

from __future__ import annotations

import hashlib
import hmac
import logging

from reconstruction_gallery.settings import Settings, SettingsError

_log = logging.getLogger(__name__)


def signed(secret: str, claim: str) -> str:
    """Return the token of a link. `claim`: "UID.UNTIL", in seconds since 1970."""
    return f"{claim}.{hmac.new(secret.encode(), claim.encode(), hashlib.sha256).hexdigest()}"


def uid_in(secret: str, token: str, now: float) -> str:
    """Return the job's uid in a token that this secret signed and that is valid at `now`; otherwise an empty string."""
    claim = token.rpartition(".")[0]
    if not hmac.compare_digest(token.encode(), signed(secret, claim).encode()):
        return ""
    uid, until = claim.split(".")
    return uid if now < int(until) else ""


class Sharing:
    """The secret that signs links.

    It is read at each use, since it may be replaced; one that is unusable does not replace the last.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = ""
        self._problem = ""
        self.enabled = bool(settings.share_secret_file)

    def secret(self) -> str:
        """Return the newest usable secret; empty if there was none since the start, or links are disabled."""
        problem = ""
        try:
            self._secret = self._settings.share_secret or ""
        except SettingsError as error:
            problem = str(error)
        if problem and problem != self._problem:
            kept = "the last one stays valid" if self._secret else "no links are made, and none is valid"
            _log.warning("The secret that signs links is unusable: %s; %s", problem, kept)
        self._problem = problem
        return self._secret
