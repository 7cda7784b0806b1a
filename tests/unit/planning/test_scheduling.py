from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.planning.scheduling import Candidate, admit

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def waiting(name: str, age: int, queue: str = "celery", in_flight: int = 0) -> Candidate:
    """`name` is team/job."""
    namespace, _, job = name.partition("/")
    return Candidate(JobKey(namespace, job, f"uid-{name}"), queue, NOW - timedelta(seconds=age), in_flight)


def names(keys: tuple[JobKey, ...]) -> list[str]:
    return [f"{key.namespace}/{key.name}" for key in keys]


@pytest.mark.parametrize(
    ("candidates", "queues", "window", "expected"),
    [
        pytest.param([], {}, 5, [], id="nobody"),
        pytest.param([waiting("a/1", 1), waiting("a/2", 2)], {}, 5, ["a/2", "a/1"], id="the-oldest-first"),
        pytest.param([waiting("a/1", 9), waiting("a/2", 8)], {"celery": 4}, 5, ["a/1"], id="up-to-the-window"),
        pytest.param([waiting("a/1", 9)], {"celery": 7}, 5, [], id="the-window-is-full"),
        pytest.param([waiting("a/1", 9), waiting("a/2", 8), waiting("b/1", 1)], {}, 2, ["a/1", "b/1"], id="namespaces-take-turns"),
        pytest.param([waiting("a/1", 9, in_flight=3), waiting("b/1", 2), waiting("b/2", 1)], {}, 3, ["b/1", "b/2", "a/1"], id="who-has-least-in-flight-comes-first"),
        pytest.param([waiting("a/1", 9), waiting("a/2", 8, "celery-high")], {"celery": 5}, 5, ["a/2"], id="a-priority-has-a-window-of-its-own"),
        pytest.param([waiting("b/1", 5), waiting("a/1", 5)], {}, 1, ["a/1"], id="equal-ones-go-by-name"),
    ],
)  # fmt: skip
def test_who_goes_next(candidates: list[Candidate], queues: dict[str, int], window: int, expected: list[str]) -> None:
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
def test_a_queue_is_filled_up_to_its_window_fairly_in_order_and_always_in_the_same_way(
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
