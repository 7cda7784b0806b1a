"""Write budget: the rate that a server gets, on a clock that the tests move."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import pytest
from reconstruction_operator.controller.writes.write_budget import TokenBucket, WriteBudget

SENDERS = 8  # as many as the status writer has


@dataclass
class Server:
    """Handles `capacity` writes a second, each in `seconds`; the rest is rejected if it `refuses`, or else waits."""

    capacity: float
    seconds: float = 0.01
    refuses: bool = True
    retry_after_seconds: float | None = None
    free_at: float = 0.0  # when it has done all that it accepted
    taken: int = 0
    refused: int = 0
    longest_seconds: float = 0.0

    def send(self, now: float) -> tuple[float, bool]:
        """Return when it responds, and whether it accepts the write."""
        if self.refuses and self.free_at - now > 0.1:
            self.refused += 1
            return now + 0.001, False
        self.taken += 1
        self.free_at = max(self.free_at, now) + 1 / self.capacity
        seconds = self.free_at - now + self.seconds
        self.longest_seconds = max(self.longest_seconds, seconds)
        return now + seconds, True


@dataclass
class Run:
    """A backlog that never ends, sent to a server over a budget."""

    server: Server
    budget: WriteBudget = field(default_factory=lambda: WriteBudget(least=5.0, most=1_000.0, now=0.0))
    now: float = 0.0
    flying: list[tuple[float, float, bool]] = field(default_factory=list)

    def until(self, end: float) -> None:
        """Let time pass."""
        while self.now < end:
            delay = self.budget.delay_seconds(self.now)
            if len(self.flying) < SENDERS and delay <= 0 and self.budget.take(self.now):
                answered, taken = self.server.send(self.now)
                heapq.heappush(self.flying, (answered, self.now, taken))
                continue
            next_at = self.flying[0][0] if self.flying else end
            self.now = min(next_at, self.now + max(delay, 1e-6) if len(self.flying) < SENDERS else next_at, end)
            while self.flying and self.flying[0][0] <= self.now:
                _, begun, taken = heapq.heappop(self.flying)
                if taken:
                    self.budget.answered(begun, self.now)
                else:
                    self.budget.refused(
                        begun, self.now, retry_after_seconds=self.server.retry_after_seconds, jitter=1.0
                    )


def test_a_fast_server_gets_ten_times_the_first_rate_within_seconds() -> None:
    run = Run(Server(capacity=10_000.0, seconds=0.001))
    run.until(5.0)
    assert run.budget.per_second == 1_000.0
    assert run.server.taken > 2_500


@pytest.mark.parametrize("capacity", [10.0, 50.0, 200.0])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_a_server_that_rejects_writes_is_used_well_and_not_overloaded(
    capacity: float, retry_after: float | None
) -> None:
    run = Run(Server(capacity=capacity, retry_after_seconds=retry_after))
    run.until(60.0)
    assert run.server.refused < 0.1 * run.server.taken
    assert run.server.taken > 0.5 * 60 * capacity


@pytest.mark.parametrize("capacity", [5.0, 50.0])
def test_a_server_that_queues_never_holds_more_than_the_writes_in_flight(capacity: float) -> None:
    run = Run(Server(capacity=capacity, refuses=False))
    run.until(60.0)
    assert run.server.longest_seconds <= SENDERS / capacity + run.server.seconds + 1e-6
    assert run.server.taken > 0.5 * 60 * capacity


def test_a_slow_server_gets_fewer_writes() -> None:
    run = Run(Server(capacity=1_000.0, seconds=2.0))
    run.until(60.0)
    assert run.budget.per_second < 10.0


def test_a_server_that_recovers_has_its_old_rate_within_seconds() -> None:
    run = Run(Server(capacity=400.0))
    run.until(30.0)
    before = run.budget.per_second
    run.server.free_at = 60.0  # it rejects all writes until then
    run.until(60.0)
    assert run.budget.per_second == 5.0
    run.until(75.0)
    assert run.budget.per_second > before / 2


def test_writes_in_flight_together_count_as_one_failure() -> None:
    budget = WriteBudget(least=1.0, most=1_000.0, now=0.0)
    for _ in range(8):
        budget.refused(1.0, 1.5, retry_after_seconds=None, jitter=1.0)
    assert budget.per_second == 50.0
    assert budget.delay_seconds(1.5) == 0.25


def test_an_unused_budget_does_not_grow() -> None:
    budget = WriteBudget(least=1.0, most=1_000.0, now=0.0)
    for second in range(100):
        assert budget.take(float(second))
        budget.answered(float(second), second + 0.01)
    assert budget.per_second == 100.0


def test_nothing_is_sent_before_retry_after_has_passed() -> None:
    budget = WriteBudget(least=1.0, most=1_000.0, now=0.0)
    budget.refused(0.0, 0.0, retry_after_seconds=7.0, jitter=1.0)
    assert (budget.delay_seconds(1.0), budget.take(1.0), budget.take(7.0)) == (6.0, False, True)


def test_a_retry_after_of_hours_is_capped() -> None:
    budget = WriteBudget(least=1.0, most=1_000.0, now=0.0)
    budget.refused(0.0, 0.0, retry_after_seconds=7_200.0, jitter=1.0)
    assert budget.delay_seconds(0.0) == 30.0


def test_a_maximum_below_the_minimum_holds() -> None:
    assert WriteBudget(least=5.0, most=2.0, now=0.0).per_second == 2.0


def test_one_token_may_be_taken_ahead_and_delays_the_next() -> None:
    bucket = TokenBucket(per_second=10.0, burst=1.0, now=0.0)
    assert bucket.take(0.0)
    assert [bucket.take(0.0, ahead=True) for _ in range(2)] == [True, False]
    assert bucket.delay_seconds(0.0) == pytest.approx(0.2)


def test_a_full_bucket_gives_its_burst_and_then_one_token_an_interval() -> None:
    bucket = TokenBucket(per_second=10, burst=3, now=0.0)

    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.delay_seconds(0.0) == pytest.approx(0.1)
    assert [bucket.take(0.1) for _ in range(2)] == [True, False]
    assert [bucket.take(1_000.0) for _ in range(4)] == [True, True, True, False]  # never more than its burst


def test_the_rate_of_a_bucket_holds_over_a_long_time() -> None:
    bucket = TokenBucket(per_second=50, burst=25, now=0.0)

    taken = sum(bucket.take(millisecond / 1000) for millisecond in range(10_000))

    assert 524 <= taken <= 526


def test_a_token_is_available_after_the_delay() -> None:
    bucket = TokenBucket(per_second=3, burst=1, now=0.0)
    now = 0.0
    for _ in range(100):
        now += bucket.delay_seconds(now)
        assert bucket.take(now)


def test_a_clock_that_stops_or_runs_backwards_adds_no_token() -> None:
    bucket = TokenBucket(per_second=10, burst=1, now=5.0)

    assert [bucket.take(now) for now in (5.0, 4.0, 5.0)] == [True, False, False]


def test_a_burst_below_one_token_still_gives_one() -> None:
    assert TokenBucket(per_second=0.1, burst=0.05, now=0.0).take(0.0)
