"""Counts: they follow every change of the cache's jobs."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.kube.cache import Cache

from tests.support.controller.entries import entry_of
from tests.support.jobs import make_body, make_key


@pytest.fixture
def cache() -> Cache:
    return Cache()


def test_phases_and_jobs_in_flight_are_counted_as_they_change(cache: Cache) -> None:
    cache.put(make_body("a", version=1))
    cache.put(make_body("b", version=1, phase="Queued"))
    cache.put(make_body("b", version=2, phase="Running"))
    urgent = make_body("c", namespace="other", phase="Cancelling")
    cache.put({**urgent, "spec": {**urgent["spec"], "priority": "high"}})
    cache.put(make_body("d", version=1, phase="Running"))
    cache.remove(make_key("d"))

    assert {phase: number for phase, number in cache.counts.phases().items() if number} == {
        Phase.PENDING: 1,
        Phase.RUNNING: 1,
        Phase.CANCELLING: 1,
    }
    assert (+cache.counts.in_flight, +cache.counts.high_in_flight) == ({"default": 1, "other": 1}, {"other": 1})


def test_helpers_of_a_job_count_as_jobs_of_their_namespace_while_it_runs(cache: Cache) -> None:
    parts = {"total": 8, "done": 1, "running": 3}
    body = make_body("a", version=1, phase="Running")
    cache.put({**body, "status": {**body["status"], "parts": parts}})
    assert cache.counts.in_flight == {"default": 3}
    body = make_body("a", version=2, phase="Succeeded")
    cache.put({**body, "status": {**body["status"], "parts": parts}})
    assert cache.counts.in_flight == {}


def put(cache: Cache, name: str, phase: str | None = None, *, version: int = 1, **spec: Any) -> None:
    body = make_body(name, version=version, **({"phase": phase} if phase else {}))
    body["spec"] |= spec
    cache.put(body)


def test_demand_is_counted_by_queue_and_phase(cache: Cache) -> None:
    put(cache, "one", "Running")
    put(cache, "two", "Running", priority="high")
    put(cache, "three", queue="gpu")

    assert {phase: queues for phase, queues in cache.counts.demand.items() if queues} == {
        Phase.RUNNING: {"celery": 1, "celery-high": 1},
        Phase.PENDING: {"gpu": 1},
    }


def test_a_leg_counts_as_demand_for_its_own_queue_while_it_waits_and_while_it_runs(cache: Cache) -> None:
    for version, phase in enumerate(("Queued", "Running"), start=1):
        body = make_body("a", version=version, phase=phase)
        cache.put({**body, "status": {**body["status"], "leg": {"number": 1, "queue": "gpu", "stage": "depth"}}})

        assert {of.value: queues for of, queues in cache.counts.demand.items() if queues} == {phase: {"gpu": 1}}


@pytest.mark.parametrize("phase", ["Suspended", "Succeeded", "Failed", "Cancelled", None])
def test_a_deleted_job_or_one_that_wants_no_worker_does_not_count_as_demand(cache: Cache, phase: str | None) -> None:
    put(cache, "one", "Running")
    put(cache, "one", phase, version=2)
    if phase is None:
        cache.remove(make_key("one"))

    assert not any(cache.counts.demand.values())


def test_a_phase_that_a_plan_gives_counts_until_it_is_stored_and_once(cache: Cache) -> None:
    put(cache, "one", "Pending")
    cache.count_as(entry_of(cache, "one"), Phase.QUEUED)
    cache.count_as(entry_of(cache, "one"), Phase.QUEUED)
    assert (cache.counts.in_flight, cache.counts.queued) == ({"default": 1}, {("celery", "default"): 1})

    put(cache, "one", "Queued", version=2)
    assert (cache.counts.in_flight, cache.counts.queued) == ({"default": 1}, {("celery", "default"): 1})
    cache.count_as(entry_of(cache, "one"), Phase.RUNNING)
    assert (cache.counts.in_flight, cache.counts.queued) == ({"default": 1}, {})
    cache.remove(make_key("one"))

    assert (cache.counts.in_flight, cache.counts.queued) == ({}, {})
