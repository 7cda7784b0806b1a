"""Cache: the newest version wins, deletions are final, and keys leave the work queue in order."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from reconstruction_operator.api.status import InstallationMark, Phase, Status
from reconstruction_operator.controller.entry import Rank
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.planning.installations import management

from tests.support.controller.entries import entry_of, names
from tests.support.jobs import make_body, make_key

KEY = make_key()


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.mark.parametrize(("version", "newer"), [(8, False), (9, False), (10, True)])  # as numbers, not as texts
def test_only_a_newer_version_is_stored(cache: Cache, version: int, newer: bool) -> None:
    cache.put(make_body(version=9, phase="Running"))
    cache.take(1)

    assert (cache.put(make_body(version=version, phase="Queued")) is not None) is newer

    assert (entry_of(cache).job.status.phase, cache.queued) == ((Phase.QUEUED, 1) if newer else (Phase.RUNNING, 0))


def test_a_body_that_arrives_after_the_deletion_does_not_restore_the_job(cache: Cache) -> None:
    cache.put(make_body(version=7))
    cache.remove(KEY)
    cache.take_deleted()

    assert cache.put(make_body(version=8)) is None
    assert len(cache) == 0


def test_a_deleted_job_is_taken_once_and_leaves_the_work_queue(cache: Cache) -> None:
    cache.put(make_body())
    cache.enqueue_after(entry_of(cache), 5.0)
    cache.remove(KEY)

    assert names(cache.take_deleted()) == ["banana"]
    assert (cache.take_deleted(), cache.take(10), cache.timers.next_at()) == ([], [], None)


def test_a_job_that_is_dropped_is_not_cleaned_up_and_may_return(cache: Cache) -> None:
    cache.put(make_body("a", version=3))
    cache.drop(make_key("a"))

    assert (len(cache), cache.queued, cache.take_deleted()) == (0, 0, [])
    assert cache.put(make_body("a", version=2)) is entry_of(cache, "a")


def test_a_job_that_another_installation_marks_is_no_demand() -> None:
    cache = Cache(management=partial(management, mine=InstallationMark("here", "ns/here")))
    for version, phase in ((2, "Queued"), (3, "Running")):
        cache.put(make_body(version=version, installation={"id": "there", "lease": "ns/there"}, phase=phase))

    job = entry_of(cache).job
    assert (job.ours, job.contested, cache.counts.contested) == (False, True, 1)
    assert not any(cache.counts.demand.values())
    cache.put(make_body(version=4, installation={"id": "there", "lease": "ns/there"}, phase="Succeeded"))
    assert cache.counts.contested == 0


@pytest.mark.parametrize(
    ("changes", "enqueued"),
    [
        pytest.param({}, 0, id="only-what-we-wrote"),
        pytest.param({"labels": {"team": "a"}}, 0, id="and-a-label"),
        pytest.param({"generation": 2}, 1, id="and-the-spec-was-edited"),
        pytest.param({"deletionTimestamp": "2026-03-01T12:00:00Z"}, 1, id="and-it-is-being-deleted"),
    ],
)
def test_our_own_write_enqueues_its_job_only_if_something_else_has_changed(
    cache: Cache, changes: dict[str, Any], enqueued: int
) -> None:
    cache.put(make_body(phase="Queued"))
    cache.take(1)
    cache.announce(entry_of(cache), Status(phase=Phase.RUNNING))
    body = make_body(version=2, phase="Running")

    cache.put({**body, "metadata": {**body["metadata"], **changes}})

    assert cache.queued == enqueued


def test_the_status_of_another_writer_enqueues_the_job(cache: Cache) -> None:
    cache.put(make_body(phase="Queued"))
    cache.announce(entry_of(cache), Status(phase=Phase.RUNNING))
    cache.put(make_body(version=2, phase="Running"))
    cache.take(1)

    cache.put(make_body(version=3, phase="Queued"))

    assert cache.queued == 1


def finished(name: str, phase: str = "Succeeded", **more: Any) -> dict[str, Any]:
    return make_body(name, phase=phase, observedGeneration=1, attempt=1, completionTime="2026-03-01T13:00:00Z", **more)


@pytest.fixture
def later() -> Cache:
    """A cache an hour after the jobs of `finished` ended."""
    return Cache(monotonic=lambda: 100.0, utc_now=lambda: datetime(2026, 3, 1, 14, tzinfo=UTC))


def test_a_job_that_is_first_seen_finished_is_not_enqueued(later: Cache) -> None:
    later.put(finished("a"))
    later.begin()

    assert (len(later), later.queued, later.timers.next_at()) == (1, 0, None)


def test_a_standby_keeps_no_work_that_the_leader_does(later: Cache) -> None:
    """A standby sees many jobs finish, perhaps for weeks."""
    for name in ("done", "cancelled", "deleted", "lives"):
        later.put(make_body(name, phase="Running"))
    for name, phase in (("done", "Succeeded"), ("cancelled", "Cancelled")):
        later.put(finished(name, phase, worker="worker-1") | {"metadata": make_body(name, version=2)["metadata"]})
    later.remove(make_key("deleted"))

    later.pass_over()
    assert (later.queued, later.take_deleted()) == (0, [])

    later.begin()
    assert names(later.take(9)) == ["lives", "cancelled"]


def test_a_finished_job_is_enqueued_when_its_time_to_live_expires(later: Cache) -> None:
    for name, seconds in (("expired", 3_000), ("soon", 3_660)):
        later.put(finished(name, spec={"ttlSecondsAfterFinished": seconds}))

    assert names(later.take(9)) == ["expired"]
    assert (later.timers.due(159.9), names(later.timers.due(160.0))) == ([], ["soon"])


def test_an_admitted_job_is_taken_before_those_that_wait(cache: Cache) -> None:
    for name in ("a", "b"):
        cache.put(make_body(name))
    cache.enqueue(entry_of(cache, "b"), Rank.ACTIVE)

    assert names(cache.take(2)) == ["b", "a"]
