"""Admission of jobs to the queues, and poison quarantine."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.scheduling import Candidate, Quarantine, admit, quarantine
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, look


def waiting(name: str, age: int, queue: str = "celery", in_flight: int = 0) -> Candidate:
    """`name` is team/job."""
    namespace, _, job = name.partition("/")
    return Candidate(JobKey(namespace, job, f"uid-{name}"), queue, NOW - timedelta(seconds=age), in_flight)


def names(keys: tuple[JobKey, ...]) -> list[str]:
    return [f"{key.namespace}/{key.name}" for key in keys]


@pytest.mark.parametrize(
    ("candidates", "queues", "window", "expected"),
    [
        pytest.param([], {}, 5, [], id="no-candidates"),
        pytest.param([waiting("a/1", 1), waiting("a/2", 2)], {}, 5, ["a/2", "a/1"], id="the-oldest-first"),
        pytest.param([waiting("a/1", 9), waiting("a/2", 8)], {"celery": 4}, 5, ["a/1"], id="up-to-the-window"),
        pytest.param([waiting("a/1", 9)], {"celery": 7}, 5, [], id="the-window-is-full"),
        pytest.param([waiting("a/1", 9), waiting("a/2", 8), waiting("b/1", 1)], {}, 2, ["a/1", "b/1"], id="namespaces-take-turns"),
        pytest.param([waiting("a/1", 9, in_flight=3), waiting("b/1", 2), waiting("b/2", 1)], {}, 3, ["b/1", "b/2", "a/1"], id="the-namespace-with-least-in-flight-first"),
        pytest.param([waiting("a/1", 9), waiting("a/2", 8, "celery-high")], {"celery": 5}, 5, ["a/2"], id="a-priority-has-a-window-of-its-own"),
        pytest.param([waiting("b/1", 5), waiting("a/1", 5)], {}, 1, ["a/1"], id="equal-ones-go-by-name"),
    ],
)  # fmt: skip
def test_jobs_are_admitted_fairly_up_to_the_window(
    candidates: list[Candidate], queues: dict[str, int], window: int, expected: list[str]
) -> None:
    assert names(admit(candidates, queues, window)) == expected


CANDIDATES = st.lists(
    st.builds(
        waiting,
        st.builds("{}/{}".format, st.sampled_from("abc"), st.integers(0, 30)),
        st.integers(0, 50),
        st.sampled_from(["celery", "gpu"]),
    ),
    unique_by=lambda one: one.key,
    max_size=40,
)


@given(
    candidates=CANDIDATES, window=st.integers(0, 12), random=st.randoms(use_true_random=False), full=st.integers(0, 12)
)
def test_admission_fills_each_queue_fairly_and_is_deterministic(
    candidates: list[Candidate], window: int, random: object, full: int
) -> None:
    admitted = admit(candidates, {"celery": full}, window)
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    assert admit(shuffled, {"celery": full}, window) == admitted
    assert len(set(admitted)) == len(admitted)
    chosen = set(admitted)
    for queue, there in (("celery", full), ("gpu", 0)):
        ours = [one for one in candidates if one.queue == queue]
        taken = [one for one in ours if one.key in chosen]
        assert len(taken) == min(len(ours), max(0, window - there))
        left = [one for one in ours if one.key not in chosen]
        shares = Counter(one.key.namespace for one in taken)
        for one in left:
            same = [other for other in taken if other.key.namespace == one.key.namespace]
            assert all((other.created, other.key) < (one.created, one.key) for other in same)
            assert shares[one.key.namespace] >= max(shares.values(), default=0) - 1


QUARANTINE = Quarantine("celery", "Worker worker-1 gave no sign of life")
LOST = Failure("WORKER_LOST", QUARANTINE.loss, retriable=True)


def quarantined(name: str, age: int = 0, of: Quarantine | None = QUARANTINE) -> Candidate:
    return Candidate(JobKey("team", name, f"uid-{name}"), "celery", NOW - timedelta(seconds=age), quarantine=of)


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


def test_jobs_that_lost_the_same_worker_share_a_quarantine() -> None:
    def after_the_loss_of(worker: str) -> Quarantine | None:
        running = Status(phase=Phase.RUNNING, attempt=2, failures=1, worker=worker)
        claim = Claim("token", worker, by_operator=False, at=NOW)
        silent = Observation(record=Record("install", "team", "a", 2, "celery"), claim=claim, silent_seconds=1e6)
        (force,) = look(silent, running).actions
        end = End(Outcome.FAILED, force.reason, force.message)
        return quarantine("celery", look(replace(silent, end=end), running).status)

    assert after_the_loss_of("worker-1") == after_the_loss_of("worker-1") is not None
    assert after_the_loss_of("worker-1") != after_the_loss_of("worker-2")


@pytest.mark.parametrize(
    ("candidates", "tried", "expected"),
    [
        pytest.param([quarantined("a", 1), quarantined("b", 2)], [], ["b"], id="the-oldest-alone"),
        pytest.param([quarantined("a"), quarantined("b")], [], ["a"], id="equal-ones-go-by-name"),
        pytest.param([quarantined("a"), quarantined("b", of=None)], [QUARANTINE], ["b"], id="one-is-in-flight"),
        pytest.param([quarantined("a"), quarantined("b", of=None), quarantined("c", of=None)], [], ["a", "b", "c"], id="others-are-not-held-back"),
        pytest.param([quarantined("a"), quarantined("b", of=Quarantine("celery", "other"))], [QUARANTINE], ["b"], id="another-quarantine"),
    ],
)  # fmt: skip
def test_one_job_of_each_quarantine_is_admitted(
    candidates: list[Candidate], tried: list[Quarantine], expected: list[str]
) -> None:
    assert sorted(key.name for key in admit(candidates, {}, 10, tried)) == expected


@given(
    candidates=st.lists(
        st.builds(
            quarantined,
            st.integers(0, 40).map(str),
            st.integers(0, 5),
            st.sampled_from([None, QUARANTINE, Quarantine("celery", "other")]),
        ),
        unique_by=lambda one: one.key,
    ),
    tried=st.sets(st.just(QUARANTINE)),
    window=st.integers(0, 12),
)
def test_a_quarantine_never_has_two_jobs_in_flight_and_wastes_no_room(
    candidates: list[Candidate], tried: set[Quarantine], window: int
) -> None:
    admitted = set(admit(candidates, {}, window, tried))
    let = [one.quarantine for one in candidates if one.key in admitted and one.quarantine is not None]
    left = [one.quarantine for one in candidates if one.key not in admitted]

    assert len(let) == len(set(let))
    assert not set(let) & tried
    assert len(admitted) == window or set(left) <= set(let) | tried
