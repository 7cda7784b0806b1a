"""The map of jobs: the newest version wins, deletions are final, dirty keys come in order."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.loop.cache import Store

from tests.support.jobs import make_body

KEY = JobKey("default", "banana", "uid-banana")


@pytest.fixture
def store() -> Store:
    return Store()


def test_a_new_body_makes_the_job_dirty(store: Store) -> None:
    assert store.put(make_body()) == KEY

    assert store.take_dirty(10) == [KEY]
    assert store.take_dirty(10) == []


def test_the_status_of_an_older_version_never_comes_back(store: Store) -> None:
    store.put(make_body(version=7, phase="Running"))

    assert store.put(make_body(version=6, phase="Queued")) is None

    job = store.get(KEY)
    assert job is not None
    assert job.status.phase is Phase.RUNNING


def test_the_same_version_twice_is_no_news(store: Store) -> None:
    store.put(make_body(version=7))
    store.take_dirty(1)

    assert store.put(make_body(version=7)) is None
    assert store.dirty == 0


def test_versions_are_compared_as_numbers(store: Store) -> None:
    store.put(make_body(version=9))

    assert store.put(make_body(version=10)) == KEY


def test_an_answer_that_comes_after_the_deletion_does_not_bring_the_job_back(store: Store) -> None:
    store.put(make_body(version=7))
    store.remove(KEY)
    store.take_gone()

    assert store.put(make_body(version=8)) is None
    assert len(store) == 0


def test_a_new_object_of_the_same_name_is_another_job(store: Store) -> None:
    store.put(make_body(version=7))
    store.remove(KEY)

    again = store.put(make_body(uid="uid-2", version=9))

    assert again == JobKey("default", "banana", "uid-2")
    assert store.get(KEY) is None


def test_a_deleted_job_is_told_once_and_is_not_dirty(store: Store) -> None:
    store.put(make_body())
    store.remove(KEY)

    assert [job.key for job in store.take_gone()] == [KEY]
    assert store.take_gone() == []
    assert store.take_dirty(10) == []


def test_a_deletion_of_what_was_never_seen_is_nobodys_business(store: Store) -> None:
    store.remove(KEY)

    assert store.take_gone() == []


def test_dirty_keys_come_in_the_order_in_which_they_became_dirty(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.put(make_body(name))
    first = store.take_dirty(1)
    store.mark(first[0])

    assert [key.name for key in store.take_dirty(10)] == ["b", "c", "a"]


def test_a_mark_for_an_unknown_job_is_ignored(store: Store) -> None:
    store.mark(KEY)

    assert store.dirty == 0


def test_finished_jobs_are_left_out_of_a_sweep(store: Store) -> None:
    store.put(make_body("a", phase="Running"))
    store.put(make_body("b", phase="Succeeded"))
    store.put(make_body("c"))
    store.take_dirty(10)

    assert store.mark_unfinished() == 2
    assert {key.name for key in store.take_dirty(10)} == {"a", "c"}


def test_phases_and_jobs_in_flight_are_counted_as_they_change(store: Store) -> None:
    store.put(make_body("a", version=1))
    store.put(make_body("b", version=1, phase="Queued"))
    store.put(make_body("b", version=2, phase="Running"))
    store.put(make_body("c", namespace="other", phase="Cancelling"))
    store.put(make_body("d", version=1, phase="Running"))
    store.remove(JobKey("default", "d", "uid-d"))

    assert {phase: number for phase, number in store.phases().items() if number} == {
        Phase.PENDING: 1,
        Phase.RUNNING: 1,
        Phase.CANCELLING: 1,
    }
    assert (store.in_flight("default"), store.in_flight("other")) == (1, 1)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({}, id="empty"),
        pytest.param({"metadata": {"name": "x", "namespace": "y"}}, id="no uid"),
        pytest.param({"metadata": "text"}, id="metadata is no mapping"),
    ],
)
def test_what_is_no_object_is_left_out(store: Store, broken: dict[str, Any]) -> None:
    assert store.put(broken) is None
    assert len(store) == 0


def test_an_object_whose_parts_cannot_be_read_has_their_defaults(store: Store) -> None:
    odd = make_body(phase="Dancing", attempt="two")
    odd["spec"] = {"suspend": "perhaps", "priority": "high"}
    store.put(odd)

    job = store.get(KEY)

    assert job is not None
    assert (job.status.phase, job.status.attempt, job.spec.suspend, job.spec.priority) == (None, 0, False, "high")
