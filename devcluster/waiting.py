"""Waiting for a condition, with a deadline and an account of what was seen instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from devcluster.errors import NotReadyError

T = TypeVar("T")

_PAUSE_SECONDS = 0.05  # between two looks: short beside every start-up here, long beside one look


def wait_until(
    look: Callable[[], T],
    what: str,
    *,
    timeout_seconds: float = 60.0,
    seen: Callable[[], object] | None = None,
) -> T:
    """Call `look` until it returns something true, and return that.

    What `look` last returned, or last raised as OSError, is told in the error; `seen` adds to it what only the caller
    can look at.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        last: object
        try:
            last = found = look()
        except OSError as error:
            last = error
        else:
            if found:
                return found
        if time.monotonic() > deadline:
            more = f"\n{seen()}" if seen is not None else ""
            raise NotReadyError(f"{what}: not within {timeout_seconds:g} s; last seen: {last!r}{more}")
        time.sleep(_PAUSE_SECONDS)
