"""Quarantine of poison jobs: of jobs that lost the same worker, not for the first time, one is in flight at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.planning.types import Plan

from tests.support.controller.dispatch import make_admission
from tests.support.controller.entries import entry_of
from tests.support.jobs import make_body

Suspect = Callable[..., Entry]


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def admission(cache: Cache) -> Admission:
    return make_admission(cache)


@pytest.fixture
def suspect(cache: Cache, admission: Admission) -> Suspect:
    """Puts a job that lost its worker for the second time into the cache. It waits, unless it is in another phase."""

    def put(
        name: str,
        phase: str = "Pending",
        version: int = 1,
        worker: str = "worker-1",
        managed_by: str | None = None,
        **metadata: str,
    ) -> Entry:
        failure = {"reason": "WORKER_LOST", "message": f"Worker {worker} is silent", "retriable": True}
        body = make_body(name, version=version, phase=phase, attempt=3, failures=2, failure=failure)
        body["spec"] |= {"managedBy": managed_by}
        body["metadata"] |= metadata
        cache.put(body)
        entry = entry_of(cache, name)
        if phase == "Pending":
            admission.wants(entry)
        return entry

    return put


@pytest.mark.parametrize(
    ("changes", "in_flight"),
    [
        *(pytest.param({"phase": phase}, 0, id=phase) for phase in ("Suspended", "Failed", "Succeeded", "Cancelled")),
        pytest.param({"worker": "worker-2"}, 1, id="of another worker"),
        pytest.param({"managed_by": "example.com/other"}, 1, id="of another controller"),
        # Its status stays as it is until its finalizer is removed.
        pytest.param({"deletionTimestamp": "2026-03-01T12:00:00Z"}, 0, id="being deleted"),
    ],
)
def test_a_suspect_that_does_not_run_here_blocks_no_other(
    admission: Admission, suspect: Suspect, cache: Cache, changes: dict[str, str], in_flight: int
) -> None:
    first = suspect("first", **{"phase": "Running", **changes})
    second = suspect("second")

    assert admission.admit(0.0) == [second]
    assert cache.counts.in_flight[first.key.namespace] == in_flight


def test_a_suspect_blocks_others_from_its_dispatch_to_its_end(
    admission: Admission, suspect: Suspect, cache: Cache
) -> None:
    first = suspect("first")
    second = suspect("second")

    assert admission.admit(0.0) == [first]
    admission.planned(first, Plan(Status(phase=Phase.QUEUED)))
    assert admission.admit(2.0) == []
    for version, phase in enumerate(("Queued", "Running", "Cancelling"), 2):
        suspect("first", phase, version)
        assert admission.admit(float(version)) == []
    suspect("first", "Failed", version=5)
    assert admission.admit(5.0) == [second]
    assert not cache.counts.quarantines


def test_a_suspect_whose_message_redis_lost_does_not_wait_for_itself(admission: Admission, suspect: Suspect) -> None:
    first = suspect("first", "Queued")
    suspect("second")
    admission.wants(first)

    assert admission.admit(0.0) == [first]
