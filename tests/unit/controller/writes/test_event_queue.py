"""Event queue: which Events are merged, posted at once, or dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from reconstruction_operator.controller.kube.objects import EventSubject
from reconstruction_operator.controller.writes.event_queue import EventQueue
from reconstruction_operator.planning.types import Event

from tests.support.jobs import make_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIFE = [
    Event("Normal", "Accepted", "The spec is accepted"),
    Event("Normal", "Dispatched", "Attempt 1 was sent to queue celery"),
    Event("Normal", "Started", "Worker w has begun attempt 1"),
    Event("Normal", "Succeeded", "Succeeded"),
]
CONFIRMED = Event("Normal", "CancelConfirmed", "The cancel is confirmed by kubectl, which is final")
SIMULATED = Event("Warning", "Simulated", "The result is a simulation")
FAILED = Event("Warning", "Failed", "Failed")


def subject(name: str = "banana") -> EventSubject:
    return EventSubject.of(make_key(name))


def filled(*events: Event, name: str = "banana", queue: EventQueue | None = None) -> EventQueue:
    queue = EventQueue(0.0) if queue is None else queue
    for second, event in enumerate(events):
        queue.add(subject(name), event, NOON + timedelta(seconds=second), float(second) / 10)
    return queue


def reasons(queue: EventQueue, now: float) -> list[str]:
    found = []
    while (one := queue.take(now)) is not None:
        found.append(one.event.reason)
    return found


def test_the_life_of_a_quick_job_becomes_one_event_with_all_that_happened() -> None:
    one = filled(*LIFE).take(3.0)

    assert (one.event.type, one.event.reason, one.count) == ("Normal", "Succeeded", 4)
    assert one.event.message == "; ".join(event.message for event in LIFE)
    assert (one.at, one.last) == (NOON, NOON + timedelta(seconds=3))


def test_a_warning_decides_type_and_reason_of_a_merged_event() -> None:
    one = filled(*LIFE[:3], SIMULATED, LIFE[3]).take(3.0)

    assert (one.event.type, one.event.reason) == ("Warning", "Simulated")


def test_events_of_a_slow_job_are_posted_one_by_one() -> None:
    queue = EventQueue(0.0)
    for number, event in enumerate(LIFE):
        queue.add(subject(), event, NOON, number * 10.0)
        assert reasons(queue, number * 10.0 + 2.0) == [event.reason]


def test_routine_events_are_gathered_for_two_seconds() -> None:
    queue = filled(LIFE[0])
    assert (queue.delay_seconds(0.5), reasons(queue, 0.5)) == (1.5, [])
    assert (queue.delay_seconds(2.0), reasons(queue, 2.0)) == (0.0, ["Accepted"])
    assert queue.delay_seconds(2.0) is None


@pytest.mark.parametrize("event", [CONFIRMED, FAILED], ids=lambda one: one.reason)
def test_an_event_that_is_not_routine_is_posted_alone_and_at_once(event: Event) -> None:
    queue = filled(*LIFE[:3], event)
    assert reasons(queue, 0.5) == [event.reason]
    assert reasons(queue, 5.0) == ["Started"]


def test_of_a_thousand_jobs_within_seconds_few_have_routine_events() -> None:
    queue, posted = EventQueue(0.0), 0
    for number in range(1_000):
        filled(*LIFE, name=f"job-{number}", queue=queue)
    for tenth in range(1_000):
        queue.drop_old(tenth / 10)
        posted += len(reasons(queue, tenth / 10))
    assert posted == 50 + 13 * 5  # until they are old
    assert len(queue) == 0


def test_no_warning_is_dropped_for_its_age() -> None:
    queue = filled(FAILED)
    assert queue.drop_old(1_000.0) == 0
    assert reasons(queue, 1_000.0) == ["Failed"]


def test_if_too_many_wait_routine_events_are_dropped_first() -> None:
    queue = filled(LIFE[0], name="routine")
    for number in range(1_999):
        filled(FAILED, name=f"job-{number}", queue=queue)
    assert not queue.add(subject("last"), FAILED, NOON, 0.0)
    assert (len(queue), {one.event.reason for one in queue.take_all()}) == (2_000, {"Failed"})
    assert len(queue) == 0


def test_an_event_that_could_not_be_posted_is_the_next_one() -> None:
    queue = filled(CONFIRMED, FAILED)
    first = queue.take(0.0)
    queue.put_back(first)
    assert reasons(queue, 0.0) == ["CancelConfirmed", "Failed"]
