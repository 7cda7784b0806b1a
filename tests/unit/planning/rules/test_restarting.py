"""Restarts: after attempts that Redis lost, which a backoff bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End, Record
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, in_record, look, observed

RUNNING = Status(
    observed_generation=1,
    phase=Phase.RUNNING,
    attempt=1,
    worker="worker-1",
    dispatch_time=NOW - timedelta(seconds=60),
    start_time=NOW - timedelta(seconds=60),
)


def lost(attempt: int) -> Observation:
    """Redis lost everything but the attempt's record, long ago."""
    return observed(record=Record(in_record(attempt)))


def test_after_three_consecutive_attempts_that_redis_lost_the_next_one_waits() -> None:
    status, waits = RUNNING, []
    for attempt in range(1, 12):
        status = look(lost(attempt), replace(RUNNING, attempt=attempt, redis_losses=status.redis_losses)).status
        due = status.next_attempt_time
        waits.append(0 if due is None else int((due - NOW).total_seconds()))

    assert waits == [0, 0, 10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert status.phase is Phase.PENDING
    assert (status.failures, status.redis_losses) == (0, 11)
    assert status.message == "Attempt 12 of at most 14 starts at 2026-03-01T12:10:00Z: Redis lost 11 attempts in a row"


def test_an_attempt_that_ended_by_itself_resets_the_count() -> None:
    end = End(Outcome.STOPPED, "DRAINED", "", at=NOW)

    status = look(observed(lost(3), end=end), replace(RUNNING, attempt=3, redis_losses=5)).status

    assert (status.attempt, status.next_attempt_time, status.redis_losses) == (4, None, None)
