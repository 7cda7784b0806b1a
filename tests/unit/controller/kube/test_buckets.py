"""The token bucket, on a clock of the test's own."""

from __future__ import annotations

import pytest
from reconstruction_operator.controller.kube.buckets import TokenBucket


def test_a_full_bucket_gives_its_burst_and_then_one_token_each_interval() -> None:
    bucket = TokenBucket(per_second=10, burst=3, now=0.0)

    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.delay_seconds(0.0) == pytest.approx(0.1)
    assert bucket.take(0.1)
    assert not bucket.take(0.1)


def test_it_never_holds_more_than_the_burst() -> None:
    bucket = TokenBucket(per_second=10, burst=2, now=0.0)

    assert [bucket.take(1_000.0) for _ in range(3)] == [True, True, False]


def test_the_rate_holds_over_a_long_time() -> None:
    bucket = TokenBucket(per_second=50, burst=25, now=0.0)

    taken = sum(bucket.take(millisecond / 1000) for millisecond in range(10_000))

    assert 524 <= taken <= 526


def test_a_token_is_there_after_the_delay_that_was_asked_for() -> None:
    bucket = TokenBucket(per_second=3, burst=1, now=0.0)
    now = 0.0
    for _ in range(100):
        now += bucket.delay_seconds(now)
        assert bucket.take(now)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(per_second=10, burst=1, now=5.0)
    bucket.take(5.0)

    assert not bucket.take(4.0)
    assert not bucket.take(5.0)


def test_a_burst_below_one_token_still_gives_one() -> None:
    assert TokenBucket(per_second=0.1, burst=0.05, now=0.0).take(0.0)
