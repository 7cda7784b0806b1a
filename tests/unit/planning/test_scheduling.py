"""Admission of jobs to the queues, and poison quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Failure, Status
from reconstruction_operator.planning.quotas import Quotas
from reconstruction_operator.planning.scheduling import (
    Candidate,
    DispatchWindow,
    Line,
    Load,
    Quarantine,
    admit,
    first_turns,
    quarantine,
)

from tests.support.plans import NOW


def waiting(name: str, age: int = 0, queue: str = "celery", *, new: bool = True, **more: Any) -> Candidate:
    """`name` is team/job."""
    namespace, _, job = name.partition("/")
    return Candidate(new, NOW - timedelta(seconds=age), JobRef(namespace, job, f"uid-{name}"), queue, **more)


def lines(candidates: Iterable[Candidate]) -> Mapping[str, list[Line]]:
    queues: dict[str, dict[tuple[str, bool], dict[JobRef, Candidate]]] = {}
    for candidate in sorted(candidates):
        queues.setdefault(candidate.queue, {}).setdefault((candidate.key.namespace, candidate.high), {})[
            candidate.key
        ] = candidate
    return {queue: [*of_queue.values()] for queue, of_queue in queues.items()}


def window(queue: int = 100, namespace: int = 100, total: int = 1000, total_bytes: int = 1000) -> DispatchWindow:
    return DispatchWindow(queue, namespace, total, total_bytes)


def names(keys: Iterable[JobRef]) -> list[str]:
    return [f"{key.namespace}/{key.name}" for key in keys]


QUARANTINE = Quarantine("celery", "Worker worker-1 stopped sending heartbeats")
LOST = Failure("WORKER_LOST", QUARANTINE.loss, retriable=True)


def quarantined(name: str, age: int = 0, of: Quarantine | None = QUARANTINE) -> Candidate:
    return waiting(f"team/{name}", age, quarantine=of)


A = waiting("a/1", 9)
B = waiting("a/2", 8)
C = waiting("b/1", 1)


@pytest.mark.parametrize(
    ("candidates", "load", "limits", "expected"),
    [
        pytest.param([], Load(), window(5), [], id="no-candidates"),
        pytest.param([waiting("a/1", 1), waiting("a/2", 2)], Load(), window(5), ["a/2", "a/1"], id="the-oldest-first"),
        pytest.param([A, B], Load({"celery": 4}), window(5), ["a/1"], id="up-to-the-window"),
        pytest.param([A], Load({"celery": 7}), window(5), [], id="the-window-is-full"),
        pytest.param([A, B, C], Load(), window(2), ["a/1", "b/1"], id="namespaces-take-turns"),
        pytest.param([A, waiting("b/1", 2), waiting("b/2", 1)], Load(in_flight={"a": 3}), window(3),
            ["b/1", "b/2", "a/1"], id="the-namespace-with-least-in-flight-first"),
        pytest.param([A, waiting("a/2", 8, "celery-high")], Load({"celery": 5}), window(5), ["a/2"],
            id="a-priority-has-a-window-of-its-own"),
        pytest.param([waiting("b/1", 5), waiting("a/1", 5)], Load(), window(1), ["a/1"], id="equal-ones-go-by-name"),
        pytest.param([A, B, C], Load(), window(namespace=1), ["a/1", "b/1"],
            id="a-namespace-has-a-share-of-the-window"),
        pytest.param([A, C], Load(waiting={("celery", "a"): 2, ("gpu", "b"): 2}), window(namespace=2), ["b/1"],
            id="its-messages-in-the-queue-count"),
        pytest.param([A, waiting("b/1", 8, "gpu"), waiting("b/2", 7, "gpu")], Load({"celery": 5, "cpu": 3}),
            window(total=10), ["b/1", "b/2"], id="the-shortest-queue-first-where-all-have-little-room"),
        pytest.param([A, B], Load({"cpu": 999}), window(), ["a/1"], id="up-to-the-window-over-all-queues"),
        pytest.param([quarantined("a", 1), quarantined("b", 2)], Load(), window(), ["team/b"],
            id="the-oldest-in-quarantine"),
        pytest.param([A, B], Load(bytes=850), window(), ["a/1"], id="up-to-the-bytes-over-all-queues"),
        pytest.param([A, waiting("b/1", 1, new=False)], Load(waiting={("celery", "b"): 1}), window(1, 1), ["b/1"],
            id="what-is-sent-again-has-had-its-turn"),
    ],
)  # fmt: skip
def test_jobs_are_admitted_fairly_up_to_the_window(
    candidates: list[Candidate], load: Load, limits: DispatchWindow, expected: list[str]
) -> None:
    assert names(admit(lines(candidates), load, limits, weigh=lambda _: 100)) == expected


@pytest.mark.parametrize(
    ("quotas", "load", "expected"),
    [
        pytest.param(Quotas(running=(("a", 1),)), Load(), ["a/1", "b/1"], id="no-more-than-the-quota"),
        pytest.param(Quotas(running=(("*", 2),)), Load(in_flight={"a": 2}), ["b/1"], id="jobs-in-flight-count"),
        pytest.param(Quotas(running=(("*", 0), ("a", 2))), Load(), ["a/1", "a/2"], id="the-own-entry-wins"),
        pytest.param(Quotas(high=(("a", 1),)), Load(), ["a/1", "b/1", "a/2"], id="other-priorities-do-not-count"),
    ],
)
def test_quotas_hold_back_the_jobs_of_a_namespace(quotas: Quotas, load: Load, expected: list[str]) -> None:
    assert names(admit(lines([A, B, C]), load, window(), quotas)) == expected


def test_a_quota_of_priority_high_holds_back_those_alone() -> None:
    high = [waiting(f"a/{number}", 9 - number, "celery-high", high=True) for number in range(3)]

    admitted = admit(lines([*high, A]), Load(high={"a": 1}), window(), Quotas(high=(("a", 2),)))

    assert sorted(names(admitted)) == ["a/0", "a/1"]  # the first of high, and the normal one


def test_the_line_gives_the_order_of_turns_and_what_a_quota_holds_back() -> None:
    candidates = [waiting(f"a/{number}", 9 - number) for number in range(4)] + [waiting("b/1", 1)]

    load = Load({"celery": 99}, in_flight={"a": 1})
    quotas = Quotas(running=(("a", 3),))
    turns, held = first_turns(lines(candidates)["celery"], load, quotas, at_most=10)

    assert names(turns) == ["b/1", "a/0", "a/1"]
    assert names(held) == ["a/2", "a/3"]


CANDIDATES = st.lists(
    st.builds(
        waiting,
        st.builds("{}/{}".format, st.sampled_from("abc"), st.integers(0, 30)),
        st.integers(0, 50),
        st.sampled_from(["celery", "gpu"]),
    ),
    unique_by=lambda candidate: candidate.key,
    max_size=40,
)


@given(candidates=CANDIDATES, room=st.integers(0, 12), full=st.integers(0, 12))
def test_admission_fills_each_queue_fairly(candidates: list[Candidate], room: int, full: int) -> None:
    admitted = admit(lines(candidates), Load({"celery": full}), window(room))

    assert len(set(admitted)) == len(admitted)
    chosen = set(admitted)
    for queue, there in (("celery", full), ("gpu", 0)):
        ours = [candidate for candidate in candidates if candidate.queue == queue]
        taken = [candidate for candidate in ours if candidate.key in chosen]
        assert len(taken) == min(len(ours), max(0, room - there))
        left = [candidate for candidate in ours if candidate.key not in chosen]
        shares = Counter(candidate.key.namespace for candidate in taken)
        for candidate in left:
            same = [other for other in taken if other.key.namespace == candidate.key.namespace]
            assert all((other.created, other.key) < (candidate.created, candidate.key) for other in same)
            assert shares[candidate.key.namespace] >= max(shares.values(), default=0) - 1


@given(
    candidates=CANDIDATES,
    limits=st.builds(DispatchWindow, st.integers(0, 12), st.integers(0, 6), st.integers(0, 20), st.integers(0, 900)),
    messages=st.dictionaries(st.sampled_from(["celery", "gpu", "left behind"]), st.integers(0, 12)),
    size=st.integers(0, 500),
    running=st.integers(0, 9),
)
def test_no_limit_is_ever_exceeded(
    candidates: list[Candidate], limits: DispatchWindow, messages: dict[str, int], size: int, running: int
) -> None:
    load = Load(messages, size, in_flight={"a": 3})

    admitted = set(admit(lines(candidates), load, limits, Quotas(running=(("a", running),)), weigh=lambda _: 100))

    sent = [candidate for candidate in candidates if candidate.key in admitted]
    by_queue = Counter(candidate.queue for candidate in sent)
    of_a = sum(candidate.key.namespace == "a" for candidate in sent)
    assert not sent or sum(messages.values()) + len(sent) <= limits.total
    assert not sent or size + 100 * len(sent) <= limits.total_bytes
    assert all(messages.get(queue, 0) + number <= limits.queue for queue, number in by_queue.items())
    assert all(
        number <= limits.namespace
        for number in Counter((candidate.queue, candidate.key.namespace) for candidate in sent).values()
    )
    assert not of_a or 3 + of_a <= running


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(Status(), None, id="new"),
        pytest.param(Status(failures=1, failure=LOST), None, id="a-first-loss"),
        pytest.param(Status(failures=2, failure=LOST), QUARANTINE, id="a-second-loss"),
        pytest.param(Status(failures=9, failure=LOST), QUARANTINE, id="a-ninth-loss"),
        pytest.param(Status(failures=2, failure=replace(LOST, reason="DISK_FULL")), None, id="it-failed-by-itself"),
        pytest.param(Status(failures=2), None, id="a-status-without-its-failure"),
    ],
)
def test_a_job_is_in_quarantine_after_its_second_lost_worker(status: Status, expected: Quarantine | None) -> None:
    assert quarantine("celery", status) == expected


@given(
    candidates=st.lists(
        st.builds(
            quarantined,
            st.integers(0, 40).map(str),
            st.integers(0, 5),
            st.sampled_from([None, QUARANTINE, Quarantine("celery", "other")]),
        ),
        unique_by=lambda candidate: candidate.key,
    ),
    tried=st.sets(st.just(QUARANTINE)),
    room=st.integers(0, 12),
)
def test_a_quarantine_never_has_two_jobs_in_flight_and_wastes_no_room(
    candidates: list[Candidate], tried: set[Quarantine], room: int
) -> None:
    admitted = set(admit(lines(candidates), Load(), window(room), tried=tried))
    let = [
        candidate.quarantine
        for candidate in candidates
        if candidate.key in admitted and candidate.quarantine is not None
    ]
    left = [candidate.quarantine for candidate in candidates if candidate.key not in admitted]

    assert len(let) == len(set(let))
    assert not set(let) & tried
    assert len(admitted) == room or set(left) <= set(let) | tried
