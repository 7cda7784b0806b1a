"""Links: each shows one job's result to everyone who has it, until it expires. The gallery signs them and stores none."""

from __future__ import annotations

import hashlib
import hmac


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
