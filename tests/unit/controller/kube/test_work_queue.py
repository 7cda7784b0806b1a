"""Work queue: classes, turns of namespaces, and timers, of which a job's earliest counts, once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube.work_queue import Timers, Turn, WorkQueue

from tests.support.jobs import make_job, make_key

A, B = make_key("a"), make_key("b")


def make(*times: tuple[JobKey, float]) -> Timers:
    timers = Timers()
    for key, at in times:
        timers.wake(key, at)
    return timers


def test_the_earliest_of_several_times_for_a_job_counts() -> None:
    timers = make((B, 4.0), (A, 5.0), (A, 3.0), (A, 9.0))

    assert (timers.due(2.9), timers.next_at()) == ([], 3.0)
    assert timers.due(10.0) == [A, B]
    assert timers.next_at() is None


def test_a_cancelled_timer_is_never_due() -> None:
    timers = make((A, 1.0), (B, 2.0))
    timers.cancel(A)

    assert timers.next_at() == 2.0
    assert timers.due(10.0) == [B]


def test_timers_of_deleted_jobs_take_no_memory_until_their_time() -> None:
    """A time to live may be months."""
    timers = make((A, 5.0))
    for number in range(1_000):
        timers.wake(make_key(f"job-{number}"), 1e7)
        timers.cancel(make_key(f"job-{number}"))

    assert len(timers._heap) < 100  # what takes memory
    assert (timers.due(1e8), timers.next_at()) == ([A], None)


@pytest.mark.parametrize(
    ("spec", "phase", "turn"),
    [
        pytest.param(Spec(), None, Turn.LIVING, id="new"),
        pytest.param(Spec(), Phase.PENDING, Turn.LIVING, id="waiting"),
        pytest.param(Spec(), Phase.QUEUED, Turn.IN_FLIGHT, id="queued"),
        pytest.param(Spec(), Phase.RUNNING, Turn.IN_FLIGHT, id="running"),
        pytest.param(Spec(cancel_requested=True), Phase.RUNNING, Turn.STOPPING, id="cancel-requested"),
        pytest.param(Spec(cancel_confirmed=True), Phase.CANCELLING, Turn.STOPPING, id="cancelling"),
        pytest.param(Spec(suspend=True), Phase.RUNNING, Turn.STOPPING, id="suspending"),
        pytest.param(Spec(suspend=True), Phase.SUSPENDED, Turn.LIVING, id="suspended"),
        pytest.param(Spec(cancel_confirmed=True), Phase.CANCELLED, Turn.FINISHED, id="cancelled"),
    ],
)
def test_the_class_of_a_job(spec: Spec, phase: Phase | None, turn: Turn) -> None:
    assert Turn.of(make_job(Status(phase=phase), spec=spec)) is turn


def test_a_job_that_is_being_deleted_is_stopped_with_the_cancelled_ones() -> None:
    assert Turn.of(replace(make_job(), deleting=True)) is Turn.STOPPING


def queue(**names: Turn) -> WorkQueue:
    made = WorkQueue()
    for name, turn in names.items():
        made.put(make_key(name), turn)
    return made


def test_the_most_urgent_class_comes_first() -> None:
    made = queue(later=Turn.LATER, over=Turn.FINISHED, lives=Turn.LIVING, runs=Turn.IN_FLIGHT, stops=Turn.STOPPING)

    assert [key.name for key in made.take(9)] == ["stops", "runs", "lives", "over", "later"]
    assert len(made) == 0


def test_a_less_urgent_class_gets_a_tenth_while_more_urgent_ones_fill_the_batch() -> None:
    made = queue(**{f"lives-{number}": Turn.LIVING for number in range(200)}, over=Turn.FINISHED, later=Turn.LATER)

    taken = [key.name for key in made.take(100)]

    assert (taken[:80], sorted(taken[-2:])) == ([f"lives-{number}" for number in range(80)], ["later", "over"])


def test_namespaces_take_turns_inside_a_class() -> None:
    made = WorkQueue()
    for number in range(100):
        made.put(make_key(f"many-{number}", "large"), Turn.LIVING)
    made.put(make_key("one", "small"), Turn.LIVING)

    assert [key.namespace for key in made.take(3)] == ["large", "small", "large"]


def test_a_key_that_is_queued_in_a_more_urgent_class_keeps_its_place() -> None:
    made = queue(a=Turn.IN_FLIGHT, b=Turn.LIVING)
    made.put(make_key("a"), Turn.LIVING)

    assert made.take(9) == [make_key("a"), make_key("b")]
