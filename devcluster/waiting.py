"""Waiting for a condition, with a deadline and an error that shows the actual state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from devcluster.errors import DevclusterError

T = TypeVar("T")

# Between two checks: short at first, then a twentieth of the wait so far, since many tests wait at the same time.
_FIRST_PAUSE_SECONDS = 0.05
_LAST_PAUSE_SECONDS = 0.2
_PAUSE_SHARE = 0.05


def wait_until(
    look: Callable[[], T], what: str, *, timeout_seconds: float = 60.0, seen: Callable[[], object] | None = None
) -> T:
    """Call `look` until it returns a true value, and return the value. An OSError counts as a false value.

    After the deadline raise a DevclusterError, with the last result or OSError and what `seen` returns.
    """
    began = time.monotonic()
    while True:
        last: object
        try:
            last = result = look()
        except OSError as error:
            last = error
        else:
            if result:
                return result
        waited = time.monotonic() - began
        if waited > timeout_seconds:
            more = f"\n{seen()}" if seen is not None else ""
            raise DevclusterError(f"{what}: not within {timeout_seconds:g} s; last seen: {last!r}{more}")
        time.sleep(min(max(_FIRST_PAUSE_SECONDS, waited * _PAUSE_SHARE), _LAST_PAUSE_SECONDS))
