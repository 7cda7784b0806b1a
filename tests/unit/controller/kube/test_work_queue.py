"""Work queue: classes, turns of namespaces, and timers, of which a job's earliest counts, once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.entry import Entry, Rank
from reconstruction_operator.controller.kube.work_queue import Timers, WorkQueue

from tests.support.controller.entries import make_entry, names
from tests.support.jobs import make_job


def make(*times: tuple[Entry, float]) -> Timers:
    timers = Timers()
    for entry, at in times:
        timers.wake(entry, at)
    return timers


def test_the_earliest_of_several_times_for_a_job_counts() -> None:
    a = make_entry("a")
    b = make_entry("b")
    timers = make((b, 4.0), (a, 5.0), (a, 3.0), (a, 9.0))

    assert (timers.due(2.9), timers.next_at()) == ([], 3.0)
    assert timers.due(10.0) == [a, b]
    assert timers.next_at() is None


def test_a_cancelled_timer_is_never_due() -> None:
    a = make_entry("a")
    b = make_entry("b")
    timers = make((a, 1.0), (b, 2.0))
    timers.discard(a)

    assert timers.next_at() == 2.0
    assert timers.due(10.0) == [b]


def test_timers_of_deleted_jobs_take_no_memory_until_their_time() -> None:
    """A time to live may be months."""
    a = make_entry("a")
    timers = make((a, 5.0))
    for number in range(1_000):
        deleted = make_entry(f"job-{number}")
        timers.wake(deleted, 1e7)
        timers.discard(deleted)

    assert len(timers._heap) < 100  # what takes memory
    assert (timers.due(1e8), timers.next_at()) == ([a], None)


@pytest.mark.parametrize(
    ("spec", "phase", "rank"),
    [
        pytest.param(Spec(), None, Rank.LIVING, id="new"),
        pytest.param(Spec(), Phase.PENDING, Rank.LIVING, id="waiting"),
        pytest.param(Spec(), Phase.QUEUED, Rank.ACTIVE, id="queued"),
        pytest.param(Spec(), Phase.RUNNING, Rank.ACTIVE, id="running"),
        pytest.param(Spec(cancel_requested=True), Phase.RUNNING, Rank.STOPPING, id="cancel-requested"),
        pytest.param(Spec(cancel_confirmed=True), Phase.CANCELLING, Rank.STOPPING, id="cancelling"),
        pytest.param(Spec(suspend=True), Phase.RUNNING, Rank.STOPPING, id="suspending"),
        pytest.param(Spec(suspend=True), Phase.SUSPENDED, Rank.LIVING, id="suspended"),
        pytest.param(Spec(cancel_confirmed=True), Phase.CANCELLED, Rank.FINISHED, id="cancelled"),
    ],
)
def test_the_class_of_a_job(spec: Spec, phase: Phase | None, rank: Rank) -> None:
    assert Rank.of(make_job(Status(phase=phase), spec=spec)) is rank


def test_a_job_that_is_being_deleted_is_stopped_with_the_cancelled_ones() -> None:
    assert Rank.of(replace(make_job(), deleting=True)) is Rank.STOPPING


def queue(**ranks: Rank) -> WorkQueue:
    filled = WorkQueue()
    for name, rank in ranks.items():
        filled.put(make_entry(name), rank)
    return filled


def test_the_most_urgent_class_comes_first() -> None:
    filled = queue(later=Rank.LATER, over=Rank.FINISHED, lives=Rank.LIVING, runs=Rank.ACTIVE, stops=Rank.STOPPING)

    assert names(filled.take(9)) == ["stops", "runs", "lives", "over", "later"]
    assert len(filled) == 0


def test_a_less_urgent_class_gets_a_tenth_while_more_urgent_ones_fill_the_batch() -> None:
    filled = queue(**{f"lives-{number}": Rank.LIVING for number in range(200)}, over=Rank.FINISHED, later=Rank.LATER)

    taken = names(filled.take(100))

    assert (taken[:80], sorted(taken[-2:])) == ([f"lives-{number}" for number in range(80)], ["later", "over"])


def test_namespaces_take_turns_inside_a_class() -> None:
    filled = WorkQueue()
    for number in range(100):
        filled.put(make_entry(f"many-{number}", "large"), Rank.LIVING)
    filled.put(make_entry("one", "small"), Rank.LIVING)

    assert [entry.key.namespace for entry in filled.take(3)] == ["large", "small", "large"]


def test_a_job_that_is_queued_in_a_more_urgent_class_keeps_its_place() -> None:
    a = make_entry("a")
    filled = WorkQueue()
    filled.put(a, Rank.ACTIVE)
    filled.put(make_entry("b"), Rank.LIVING)
    filled.put(a, Rank.LIVING)

    assert names(filled.take(9)) == ["a", "b"]
