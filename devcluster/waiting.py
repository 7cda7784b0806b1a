"""Waiting for a condition, with a deadline and an error that shows the state instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from devcluster.errors import NotReadyError

T = TypeVar("T")

# Between two checks: first short, then a twentieth of the wait so far, since many tests wait beside each other.
_FIRST_PAUSE_SECONDS = 0.05
_LAST_PAUSE_SECONDS = 0.2
_PAUSE_SHARE = 0.05


def wait_until(
    look: Callable[[], T],
    what: str,
    *,
    timeout_seconds: float = 60.0,
    seen: Callable[[], object] | None = None,
) -> T:
    """Call `look` until it returns something true, and return that. An OSError counts as not yet.

    Raises:
        NotReadyError: the time is over; the message has the last result or OSError, and what `seen` returns.

    """
    began = time.monotonic()
    while True:
        last: object
        try:
            last = found = look()
        except OSError as error:
            last = error
        else:
            if found:
                return found
        waited = time.monotonic() - began
        if waited > timeout_seconds:
            more = f"\n{seen()}" if seen is not None else ""
            raise NotReadyError(f"{what}: not within {timeout_seconds:g} s; last seen: {last!r}{more}")
        time.sleep(min(max(_FIRST_PAUSE_SECONDS, waited * _PAUSE_SHARE), _LAST_PAUSE_SECONDS))
