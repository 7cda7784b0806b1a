"""One clock for everything that is compared: seconds since the machine's boot, the same in all processes.

The journal of a model process, the watcher and the list of faults use it; nothing sets it, and no time zone or leap
second moves it.
"""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
