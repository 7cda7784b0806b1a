"""Who waits for room in the window, and what is let in."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.cache import Store

from tests.support.jobs import make_body


def key(name: str, namespace: str = "default") -> JobKey:
    return JobKey(namespace, name, f"uid-{name}")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def admission(store: Store) -> Admission:
    return Admission(store, window=2)


def wait_for(admission: Admission, store: Store, *names: str, namespace: str = "default") -> None:
    for name in names:
        store.put(make_body(name, namespace=namespace))
        admission.wants(key(name, namespace), wants=True)


def test_as_many_are_let_in_as_the_window_holds(admission: Admission, store: Store) -> None:
    wait_for(admission, store, "a", "b", "c")

    assert admission.admit({}, now=0.0) == (key("a"), key("b"))


def test_messages_that_wait_already_take_their_room(admission: Admission, store: Store) -> None:
    wait_for(admission, store, "a", "b")

    assert admission.admit({"celery": 1}, now=0.0) == (key("a"),)
    assert admission.admit({"celery": 2}, now=10.0) == ()


def test_an_admission_is_for_one_look(admission: Admission, store: Store) -> None:
    wait_for(admission, store, "a")
    admission.admit({}, now=0.0)

    assert admission.take(key("a"))
    assert not admission.take(key("a"))
    assert admission.admit({}, now=10.0) == (key("a"),)


def test_who_wants_no_more_is_not_let_in(admission: Admission, store: Store) -> None:
    wait_for(admission, store, "a", "b")
    admission.wants(key("a"), wants=False)
    admission.gone(key("b"))

    assert admission.admit({}, now=0.0) == ()


def test_what_was_sent_counts_for_its_namespace_before_its_status_says_so(admission: Admission, store: Store) -> None:
    for name in ("sent-1", "sent-2"):
        store.put(make_body(name, namespace="greedy"))
        admission.sent(key(name, "greedy"))
    wait_for(admission, store, "a", namespace="greedy")
    wait_for(admission, store, "b", namespace="modest")

    assert admission.admit({"celery": 1}, now=0.0) == (key("b", "modest"),)
    admission.stored(key("sent-1", "greedy"))
    admission.stored(key("sent-2", "greedy"))
    assert admission.admit({"celery": 1}, now=10.0) == (key("a", "greedy"),)


def test_it_does_not_look_at_all_that_wait_all_the_time(admission: Admission, store: Store) -> None:
    wait_for(admission, store, "a")

    assert admission.admit({}, now=0.0) != ()
    assert admission.admit({}, now=0.01) == ()


def test_a_new_tenure_starts_from_nothing(admission: Admission, store: Store) -> None:
    wait_for(admission, store, "a")
    admission.admit({}, now=0.0)
    admission.clear()

    assert not admission.take(key("a"))
    assert admission.admit({}, now=10.0) == ()
