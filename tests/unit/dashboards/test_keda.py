"""KEDA's scaling of a pool, simulated: as many pods as the waiting and running jobs need.

    pods = ceil(sum over queue and phase of reconstruction_queue_jobs / concurrency), within minReplicas and maxReplicas

The simulation includes KEDA and the HorizontalPodAutoscaler: they poll at intervals, scale in only after a stabilization
window, and may remove any of the pods. A removed pod takes no further job and finishes its own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Pool:
    concurrency: int = 1
    minimum: int = 0
    maximum: int = 4
    window: int = 3  # jobs that have a message in Redis at the same time; the others wait in the API server
    stabilization_ticks: int = 5
    longest_job_ticks: int = 50  # terminationGracePeriodSeconds


@dataclass
class Pod:
    running: list[int] = field(default_factory=list)  # ticks that each job still needs
    draining_for: int | None = None


@dataclass
class Seen:
    """What an observer of the run saw."""

    killed: int = 0
    done: int = 0
    pods: list[int] = field(default_factory=list)
    working: list[int] = field(default_factory=list)


Formula = Callable[[Pool, int, int], int]
"""Takes the pool, the jobs that wait (all of them), and those that run; returns the pods that are wanted."""


def by_jobs(pool: Pool, waiting: int, running: int) -> int:
    """Ours."""
    return max(pool.minimum, min(pool.maximum, math.ceil((waiting + running) / pool.concurrency)))


def by_list_length(pool: Pool, waiting: int, running: int) -> int:
    """KEDA's list scaler on `LLEN celery`: sees messages alone, at most a window of them, and no job that runs."""
    return max(pool.minimum, min(pool.maximum, math.ceil(min(waiting, pool.window) / pool.concurrency)))


def run(pool: Pool, arrivals: Sequence[Sequence[int]], formula: Formula, victim: Callable[[int], int]) -> Seen:
    """Go through ticks: `arrivals` are the lengths of the jobs that come in each. Ends when all is quiet."""
    waiting: deque[int] = deque()
    pods: list[Pod] = []
    wanted_before: deque[int] = deque(maxlen=pool.stabilization_ticks)
    seen = Seen()
    for tick in range(len(arrivals) + 2_000):
        waiting.extend(arrivals[tick] if tick < len(arrivals) else ())
        _work(pods, seen)
        _stop(pods, pool, seen)
        for pod in (one for one in pods if one.draining_for is None):
            while waiting and len(pod.running) < pool.concurrency:
                pod.running.append(waiting.popleft())
        running = sum(len(pod.running) for pod in pods)
        wanted_before.append(formula(pool, len(waiting), running))
        _scale(pods, wanted_before, victim)
        seen.pods.append(sum(pod.draining_for is None for pod in pods))
        seen.working.append(running)
        if tick >= len(arrivals) and not waiting and not running and not any(one.draining_for is None for one in pods):
            break
    return seen


def _work(pods: list[Pod], seen: Seen) -> None:
    for pod in pods:
        pod.running = [left - 1 for left in pod.running]
        seen.done += sum(left <= 0 for left in pod.running)
        pod.running = [left for left in pod.running if left > 0]


def _stop(pods: list[Pod], pool: Pool, seen: Seen) -> None:
    for pod in list(pods):
        if pod.draining_for is None:
            continue
        pod.draining_for += 1
        if not pod.running:
            pods.remove(pod)
        elif pod.draining_for > pool.longest_job_ticks:
            seen.killed += len(pod.running)
            pods.remove(pod)


def _scale(pods: list[Pod], wanted_before: deque[int], victim: Callable[[int], int]) -> None:
    there = [pod for pod in pods if pod.draining_for is None]
    if wanted_before[-1] > len(there):
        pods.extend(Pod() for _ in range(wanted_before[-1] - len(there)))
    while len(there) > max(wanted_before):
        there.pop(victim(len(there))).draining_for = 0


def oldest(_: int) -> int:
    return 0


LONG = 30
BURST = [[LONG] * 6]

ARRIVALS = st.lists(st.lists(st.integers(1, 50), max_size=4), min_size=1, max_size=30)
POOLS = st.builds(
    Pool, concurrency=st.integers(1, 3), maximum=st.integers(1, 6), stabilization_ticks=st.integers(1, 10)
)


@given(pool=POOLS, arrivals=ARRIVALS, choose=st.integers(0, 5))
def test_all_jobs_finish_unkilled_and_the_pool_scales_to_zero(
    pool: Pool, arrivals: list[list[int]], choose: int
) -> None:
    seen = run(pool, arrivals, by_jobs, lambda there: choose % there)

    assert (seen.killed, seen.done) == (0, sum(len(each) for each in arrivals))
    assert seen.pods[-1] == 0
    assert max(seen.pods) <= pool.maximum


@given(pool=POOLS, arrivals=ARRIVALS)
def test_no_pod_is_removed_while_every_job_runs(pool: Pool, arrivals: list[list[int]]) -> None:
    # One slot a pod: then the pods that are wanted are never fewer than the jobs that run, up to the maximum.
    single = Pool(concurrency=1, maximum=pool.maximum, stabilization_ticks=pool.stabilization_ticks)
    seen = run(single, arrivals, by_jobs, oldest)

    assert all(pods >= min(working, single.maximum) for pods, working in zip(seen.pods, seen.working, strict=True))


def test_list_length_alone_would_remove_pods_of_running_jobs() -> None:
    ours = run(Pool(), BURST, by_jobs, oldest)
    lists = run(Pool(), BURST, by_list_length, oldest)

    # Four jobs run and two wait; then two run and none waits.
    assert min(ours.pods[1:LONG]) == 4
    assert min(lists.pods[1:LONG]) < 4
    assert min(lists.pods[LONG : LONG + 20]) == 0


@pytest.mark.parametrize(
    ("waiting", "running", "concurrency", "pods"),
    [
        pytest.param(0, 0, 1, 0, id="nothing to do"),
        pytest.param(1, 0, 1, 1, id="the first job wakes the pool"),
        pytest.param(0, 3, 1, 3, id="nothing waits, and what runs keeps its pods"),
        pytest.param(3, 1, 2, 2, id="two jobs a pod"),
        pytest.param(5_000, 4, 1, 4, id="never more than the maximum"),
    ],
)
def test_how_many_pods_are_wanted(waiting: int, running: int, concurrency: int, pods: int) -> None:
    assert by_jobs(Pool(concurrency=concurrency), waiting, running) == pods
