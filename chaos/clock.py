"""Clock: seconds since the machine's boot, the same in all processes.

All compared times come from this clock. It is never set, and has no time zones or leap seconds.
"""

from __future__ import annotations

import time


def now() -> float:
    """Return the seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
