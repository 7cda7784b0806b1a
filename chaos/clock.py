"""Clock: seconds since the machine's boot, the same in all processes.

All times that are compared come from it. It is never set, and has neither time zones nor leap seconds.
"""

from __future__ import annotations

import time


def now() -> float:
    """Return the seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
