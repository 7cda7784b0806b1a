"""Of jobs that lost the same worker, not for the first time, one is in flight at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.cache import Store

from tests.support.jobs import make_body

Suspect = Callable[..., JobKey]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def admission(store: Store) -> Admission:
    return Admission(store, window=10)


@pytest.fixture
def suspect(store: Store, admission: Admission) -> Suspect:
    """A job that lost its worker for the second time. It waits, unless it is in another phase."""

    def put(
        name: str, phase: str = "Pending", version: int = 1, worker: str = "worker-1", managed_by: str | None = None
    ) -> JobKey:
        failure = {"reason": "WORKER_LOST", "message": f"Worker {worker} is silent", "retriable": True}
        made = make_body(name, version=version, phase=phase, attempt=3, failures=2, failure=failure)
        made["spec"] |= {"managedBy": managed_by}
        store.put(made)
        key = JobKey("default", name, f"uid-{name}")
        admission.wants(key, wants=phase == "Pending")
        return key

    return put


@pytest.mark.parametrize("phase", ["Queued", "Running", "Cancelling"])
def test_the_others_wait_until_the_one_in_flight_has_ended(
    admission: Admission, suspect: Suspect, store: Store, phase: str
) -> None:
    suspect("first", phase)
    second = suspect("second")

    assert admission.admit({}, now=0.0) == ()
    suspect("first", "Succeeded", version=2)
    assert admission.admit({}, now=1.0) == (second,)
    assert not store.tried()


@pytest.mark.parametrize("phase", ["Suspended", "Failed", "Succeeded", "Cancelled"])
def test_nobody_waits_for_one_of_which_nothing_runs(admission: Admission, suspect: Suspect, phase: str) -> None:
    suspect("first", phase)
    second = suspect("second")

    assert admission.admit({}, now=0.0) == (second,)


def test_nobody_waits_for_one_that_was_deleted(admission: Admission, suspect: Suspect, store: Store) -> None:
    first = suspect("first", "Running")
    second = suspect("second")

    store.remove(first)

    assert admission.admit({}, now=0.0) == (second,)


def test_nobody_waits_for_one_that_lost_another_worker(admission: Admission, suspect: Suspect) -> None:
    suspect("first", "Running", worker="worker-2")
    second = suspect("second")

    assert admission.admit({}, now=0.0) == (second,)


def test_nobody_waits_for_one_that_another_controller_has(admission: Admission, suspect: Suspect) -> None:
    suspect("first", "Running", managed_by="example.com/other")
    second = suspect("second")

    assert admission.admit({}, now=0.0) == (second,)


def test_one_that_was_let_or_sent_is_waited_for_before_its_status_says_so(
    admission: Admission, suspect: Suspect
) -> None:
    first, second = suspect("first"), suspect("second")

    assert admission.admit({}, now=0.0) == (first,)
    assert admission.admit({}, now=1.0) == ()  # it has not been looked at yet
    admission.take(first)
    admission.wants(first, wants=False)
    admission.sent(first)
    assert admission.admit({}, now=2.0) == ()
    suspect("first", "Queued", version=2)
    admission.stored(first)
    assert admission.admit({}, now=3.0) == ()
    suspect("first", "Failed", version=3)
    assert admission.admit({}, now=4.0) == (second,)


def test_one_whose_message_redis_has_forgotten_does_not_wait_for_itself(admission: Admission, suspect: Suspect) -> None:
    first = suspect("first", "Queued")
    suspect("second")
    admission.wants(first, wants=True)

    assert admission.admit({}, now=0.0) == (first,)


def test_nobody_waits_for_one_that_is_being_deleted(admission: Admission, suspect: Suspect, store: Store) -> None:
    """Its status stays as it is for as long as somebody's finalizer does."""
    key = suspect("first", "Running")
    second = suspect("second")
    held = make_body("first", version=2, phase="Running", attempt=3, failures=2)
    held["status"]["failure"] = {"reason": "WORKER_LOST", "message": "Worker worker-1 is silent", "retriable": True}
    held["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    store.put(held)

    assert admission.admit({}, now=0.0) == (second,)
    assert store.in_flight(key.namespace) == 0
