"""Timers: of several times for a job the earliest counts, once."""

from __future__ import annotations

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.kube.timers import Timers

from tests.support.jobs import make_key

A, B = make_key("a"), make_key("b")


def make(*times: tuple[JobKey, float]) -> Timers:
    timers = Timers()
    for key, at in times:
        timers.wake(key, at)
    return timers


def test_nothing_is_due_before_its_time_and_a_job_can_get_a_new_timer() -> None:
    timers = make((A, 5.0))

    assert [timers.due(now) for now in (4.9, 5.0, 5.0)] == [[], [A], []]
    timers.wake(A, 8.0)
    assert timers.due(8.0) == [A]


def test_the_earliest_of_several_times_for_a_job_counts() -> None:
    timers = make((A, 5.0), (A, 3.0), (A, 9.0))

    assert timers.next_at() == 3.0
    assert timers.due(10.0) == [A]
    assert (timers.next_at(), len(timers)) == (None, 0)


def test_jobs_are_due_in_the_order_of_their_times() -> None:
    assert make((B, 2.0), (A, 1.0)).due(10.0) == [A, B]


def test_a_cancelled_timer_is_never_due() -> None:
    timers = make((A, 1.0), (B, 2.0))
    timers.cancel(A)

    assert timers.next_at() == 2.0
    assert timers.due(10.0) == [B]
