"""Admission: which jobs wait for room in the dispatch window, and which are admitted."""

from __future__ import annotations

import pytest
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.admission import Admission

from tests.support.jobs import make_body, make_key


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def admission(cache: Cache) -> Admission:
    return Admission(cache, window=2)


def wait_for(admission: Admission, cache: Cache, *names: str, namespace: str = "default") -> None:
    for name in names:
        cache.put(make_body(name, namespace=namespace))
        admission.wants(make_key(name, namespace), wants=True)


def test_as_many_jobs_are_admitted_as_the_window_holds(admission: Admission, cache: Cache) -> None:
    wait_for(admission, cache, "a", "b", "c")

    assert admission.admit({}, now=0.0) == (make_key("a"), make_key("b"))


def test_waiting_messages_take_room_in_the_window(admission: Admission, cache: Cache) -> None:
    wait_for(admission, cache, "a", "b")

    assert admission.admit({"celery": 1}, now=0.0) == (make_key("a"),)
    assert admission.admit({"celery": 2}, now=10.0) == ()


def test_an_admission_is_for_one_look(admission: Admission, cache: Cache) -> None:
    wait_for(admission, cache, "a")
    admission.admit({}, now=0.0)

    assert admission.take(make_key("a"))
    assert not admission.take(make_key("a"))
    assert admission.admit({}, now=10.0) == (make_key("a"),)


def test_a_job_that_no_longer_wants_dispatch_is_not_admitted(admission: Admission, cache: Cache) -> None:
    wait_for(admission, cache, "a", "b")
    admission.wants(make_key("a"), wants=False)
    admission.forget(make_key("b"))

    assert admission.admit({}, now=0.0) == ()


def test_a_sent_job_counts_for_its_namespace_before_its_status_is_stored(admission: Admission, cache: Cache) -> None:
    for name in ("sent-1", "sent-2"):
        cache.put(make_body(name, namespace="greedy"))
        admission.sent(make_key(name, "greedy"))
    wait_for(admission, cache, "a", namespace="greedy")
    wait_for(admission, cache, "b", namespace="modest")

    assert admission.admit({"celery": 1}, now=0.0) == (make_key("b", "modest"),)
    for name in ("sent-1", "sent-2"):
        cache.put(make_body(name, version=2, namespace="greedy", phase="Succeeded"))
    assert admission.admit({"celery": 1}, now=10.0) == (make_key("a", "greedy"),)


def test_the_waiting_jobs_are_not_looked_at_in_every_round(admission: Admission, cache: Cache) -> None:
    wait_for(admission, cache, "a")

    assert admission.admit({}, now=0.0) != ()
    assert admission.admit({}, now=0.01) == ()


def test_a_new_tenure_starts_with_nothing(admission: Admission, cache: Cache) -> None:
    wait_for(admission, cache, "a")
    admission.admit({}, now=0.0)
    admission.clear()

    assert not admission.take(make_key("a"))
    assert admission.admit({}, now=10.0) == ()
