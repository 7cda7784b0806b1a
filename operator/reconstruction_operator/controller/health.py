"""What the probes say of a running operator."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from reconstruction_operator.controller.probes import Check
from reconstruction_operator.telemetry import metrics

if TYPE_CHECKING:
    from reconstruction_operator.controller.operating import Operator

_LAG_SECONDS: Final = 10.0  # an event loop that is later than that does nothing in time
_ROUND_SECONDS: Final = (
    60.0  # without a round of the loop: its longest waits are for Redis's and the broker's deadlines
)
_API_SECONDS: Final = 15.0  # the Lease is read or written every few seconds


class View:
    """The checks. `operator` is set once it is prepared; before that we are alive and not ready."""

    def __init__(self) -> None:
        self.operator: Operator | None = None

    def health(self) -> tuple[Check, ...]:
        """What a restart would mend."""
        operator = self.operator
        if operator is None:
            return (Check("starting"),)
        crashed = ", ".join(operator.supervisor.crashed)
        since = time.monotonic() - operator.reconciler.last_round
        return (
            Check("tasks", f"crashed: {crashed}" if crashed else ""),
            Check("lag", _late("the event loop is late by", operator.lag.seconds, _LAG_SECONDS)),
            Check("loop", _late("no round of the loop for", since, _ROUND_SECONDS)),
            Check("watch", "the watch does not even try to reach the API server" if operator.watch_age.dead else ""),
        )

    def readiness(self) -> tuple[Check, ...]:
        """What keeps us from working."""
        operator = self.operator
        if operator is None:
            return (Check("prepared", "waiting for the API server"),)
        answered = operator.api.last_answer
        silent = time.monotonic() - answered if answered is not None else _API_SECONDS + 1
        return (
            Check("api", _late("the API server has not answered for", silent, _API_SECONDS)),
            Check("watch", "the jobs were not listed yet, or long ago" if operator.watch_age.stale else ""),
            Check("redis", operator.contact.error),
            Check("lease", "" if operator.leading() or operator.election.holder else "nobody leads yet"),
        )

    def measure(self) -> None:
        """Bring the gauges up to date."""
        operator = self.operator
        if operator is None:
            return
        for phase, number in operator.store.phases().items():
            metrics.JOBS.labels(phase.value).set(number)
        for (queue, phase), number in operator.store.wanted().items():
            metrics.QUEUE_JOBS.labels(queue, phase.value).set(number)
        metrics.DIRTY.set(operator.store.dirty)
        metrics.LEADER.set(operator.leading())
        metrics.WATCH_AGE.set(operator.watch_age.answered_seconds() or 0.0)
        operator.writer.measure()


def _late(what: str, seconds: float, limit: float) -> str:
    return f"{what} {seconds:.1f} s" if seconds > limit else ""
