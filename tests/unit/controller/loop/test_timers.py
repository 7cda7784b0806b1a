"""Timers: of several times for a job the earliest counts, once."""

from __future__ import annotations

from reconstruction_operator.controller.loop.timers import Timers

from tests.support.jobs import make_key

A, B = make_key("a"), make_key("b")


def test_nothing_is_due_before_its_time() -> None:
    timers = Timers()
    timers.wake(A, 5.0)

    assert timers.due(4.9) == []
    assert timers.due(5.0) == [A]
    assert timers.due(5.0) == []


def test_the_earliest_of_several_times_for_a_job_counts() -> None:
    timers = Timers()
    timers.wake(A, 5.0)
    timers.wake(A, 3.0)
    timers.wake(A, 9.0)

    assert timers.next_at() == 3.0
    assert timers.due(10.0) == [A]
    assert (timers.next_at(), len(timers)) == (None, 0)


def test_jobs_are_due_in_the_order_of_their_times() -> None:
    timers = Timers()
    timers.wake(B, 2.0)
    timers.wake(A, 1.0)

    assert timers.due(10.0) == [A, B]


def test_a_cancelled_timer_is_never_due() -> None:
    timers = Timers()
    timers.wake(A, 1.0)
    timers.wake(B, 2.0)
    timers.cancel(A)

    assert timers.next_at() == 2.0
    assert timers.due(10.0) == [B]


def test_a_job_can_get_a_new_timer_after_it_was_due() -> None:
    timers = Timers()
    timers.wake(A, 1.0)
    timers.due(1.0)
    timers.wake(A, 4.0)

    assert timers.due(4.0) == [A]
