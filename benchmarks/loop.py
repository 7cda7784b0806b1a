"""Loop meter: how busy the operator's loop is, and its write budget, by its own metrics."""

from __future__ import annotations

import time

from benchmarks.figures.binding import ALLOWED
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System

_BUSY = "reconstruction_reconcile_seconds_sum"
_BUDGET = "reconstruction_write_budget"


class LoopMeter:
    """Measures the loop of one operator from the meter's creation until it is read."""

    def __init__(self, system: System) -> None:
        self._replica = Replica(system)
        self._begun, self._busy = time.monotonic(), self._replica.metric(_BUSY) or 0.0

    def figures(self) -> dict[str, float]:
        """Return the share of time in which the loop worked, and the current write budget."""
        seconds = time.monotonic() - self._begun
        busy = (self._replica.metric(_BUSY) or 0.0) - self._busy
        allowed = self._replica.metric(_BUDGET)
        return {"loop busy, %": 100 * busy / seconds} | ({} if allowed is None else {ALLOWED: allowed})
