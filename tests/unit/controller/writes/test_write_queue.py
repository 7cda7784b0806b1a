"""Write queue: the order of writes, one a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import Condition, Phase, Status
from reconstruction_operator.controller.entry import Entry, PendingWrite, Urgency
from reconstruction_operator.controller.writes.write_queue import WriteQueue, urgency_of

from tests.support.controller.clock import Clock
from tests.support.controller.entries import make_entry

RUNNING = Status(observed_generation=1, phase=Phase.RUNNING, attempt=1, progress=Progress(percent=10))
WAITING = Status(observed_generation=1, phase=Phase.PENDING)
Put = Callable[..., Entry]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WriteQueue:
    return WriteQueue(monotonic=clock)


@pytest.fixture
def put(queue: WriteQueue) -> Put:
    """Queues a write of the job of that name."""
    entries: dict[str, Entry] = {}

    def put(name: str, urgency: Urgency, since: float = 0.0, status: Status = RUNNING) -> Entry:
        entry = entries.setdefault(name, make_entry(name))
        queue.put(entry, PendingWrite(Status(), status, (), since, urgency))
        return entry

    return put


@pytest.mark.parametrize(
    ("stored", "wanted", "urgency"),
    [
        pytest.param(RUNNING, replace(RUNNING, phase=Phase.SUCCEEDED), Urgency.FINISHED, id="finished"),
        pytest.param(Status(), replace(RUNNING, phase=Phase.CANCELLED), Urgency.FINISHED, id="finished at once"),
        pytest.param(Status(), RUNNING, Urgency.PHASE, id="phase"),
        pytest.param(WAITING, replace(WAITING, phase=Phase.QUEUED), Urgency.PHASE, id="dispatched"),
        pytest.param(Status(), WAITING, Urgency.WAITING, id="first seen to wait"),
        pytest.param(WAITING, replace(WAITING, message="place 5"), Urgency.WAITING, id="place in line"),
        pytest.param(WAITING, replace(WAITING, observed_generation=2), Urgency.PHASE, id="a new spec was seen to wait"),
        pytest.param(RUNNING, replace(WAITING, attempt=2), Urgency.PHASE, id="waits again"),
        pytest.param(RUNNING, replace(RUNNING, attempt=2), Urgency.PHASE, id="attempt"),
        pytest.param(RUNNING, replace(RUNNING, observed_generation=2), Urgency.PHASE, id="a new spec was seen"),
        pytest.param(
            replace(RUNNING, conditions=(Condition("CancelRequested", "False", "No"),)),
            replace(RUNNING, conditions=(Condition("CancelRequested", "True", "Requested"),)),
            Urgency.PHASE,
            id="a condition turned",
        ),
        pytest.param(RUNNING, replace(RUNNING, progress=Progress(percent=11)), Urgency.PROGRESS, id="progress"),
    ],
)
def test_the_urgency_of_a_write_follows_from_what_changed(stored: Status, wanted: Status, urgency: Urgency) -> None:
    assert urgency_of(stored, wanted) is urgency


def next_of(queue: WriteQueue) -> str:
    due = queue.take()
    return "" if due is None else due[0].key.name


def taken(queue: WriteQueue) -> list[str]:
    return list(iter(lambda: next_of(queue), ""))


def test_ends_go_first_then_phases_and_progress_each_in_order(queue: WriteQueue, put: Put) -> None:
    for name, urgency in (("p1", Urgency.PROGRESS), ("q1", Urgency.PHASE), ("p2", Urgency.PROGRESS)):
        put(name, urgency)
    put("f1", Urgency.FINISHED)
    put("q2", Urgency.PHASE)

    assert taken(queue) == ["f1", "q1", "q2", "p1", "p2"]


def test_only_the_newest_status_of_a_job_waits_and_keeps_its_place_and_age(queue: WriteQueue, put: Put) -> None:
    put("a", Urgency.PROGRESS, since=1.0)
    put("b", Urgency.PROGRESS, since=2.0)
    put("a", Urgency.PROGRESS, since=3.0, status=replace(RUNNING, message="newest"))

    entry, write = queue.take()

    assert (entry.key.name, write.status.message, write.since) == ("a", "newest", 1.0)
    assert taken(queue) == ["b"]


def test_a_job_with_a_write_in_flight_is_skipped_until_it_is_done(queue: WriteQueue, put: Put) -> None:
    a = put("a", Urgency.FINISHED)
    assert taken(queue) == ["a"]
    put("a", Urgency.FINISHED)
    put("b", Urgency.PROGRESS)

    assert taken(queue) == ["b"]
    queue.done(a)
    assert taken(queue) == ["a"]


def test_jobs_take_turns_with_their_progress(queue: WriteQueue, put: Put) -> None:
    order = []
    for name in ("a", "b", "c"):
        put(name, Urgency.PROGRESS)
    for _ in range(6):
        entry, _ = queue.take()
        order.append(entry.key.name)
        queue.done(entry)
        put(entry.key.name, Urgency.PROGRESS)  # it reports again at once

    assert order == ["a", "b", "c", "a", "b", "c"]


def test_while_ends_are_written_five_reasons_of_waits_a_second_are(queue: WriteQueue, put: Put, clock: Clock) -> None:
    written = list[str]()
    for number in range(1_000):
        put(f"waits-{number}", Urgency.WAITING, since=clock.now)
    for step in range(100):  # for 10 s: ten ends a second
        put(f"ends-{step}", Urgency.FINISHED, since=clock.now)
        written += [name for name in taken(queue) if name.startswith("waits")]
        clock.now += 0.1

    assert 40 <= len(written) <= 51
    assert queue.lag_seconds() == 0.0
    clock.now += 0.25
    assert len(taken(queue)) == 1_000 - len(written)
