"""Waiting jobs: the oldest of a group come first, and counts follow the jobs that join and leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.controller.loop.waiting import Group, WaitingJobs
from reconstruction_operator.planning.types import Job

from tests.support.jobs import NOON, make_job, make_key

LOST_TWICE = Status(phase=Phase.PENDING, failures=2, failure=Failure("WORKER_LOST", "worker-1 is lost"))


@pytest.fixture
def waiting() -> WaitingJobs:
    return WaitingJobs()


def aged(name: str, minutes: int, **spec: str) -> Job:
    job = make_job(name=name, spec=Spec(**spec))  # type: ignore[arg-type]  # texts of the spec
    return replace(job, created=NOON - timedelta(minutes=minutes))


def test_the_oldest_jobs_of_a_group_come_first(waiting: WaitingJobs) -> None:
    jobs = {name: aged(name, minutes) for name, minutes in (("a", 1), ("b", 3), ("c", 2))}
    for job in jobs.values():
        waiting.put(job)

    group = Group.of(jobs["a"])
    assert [key.name for key in waiting.first(group, 2)] == ["b", "c"]
    assert [key.name for key in waiting.first(group, 9)] == ["b", "c", "a"]


def test_a_job_that_left_and_returned_is_listed_once(waiting: WaitingJobs) -> None:
    waiting.put(aged("a", 1))
    waiting.put(aged("b", 2))
    for _ in range(500):
        waiting.remove(make_key("b"))
        waiting.put(aged("b", 2))

    assert [key.name for key in waiting.first(Group.of(aged("a", 1)), 9)] == ["b", "a"]
    assert (len(waiting), waiting.in_queue, waiting.in_namespace("default")) == (2, {"celery": 2}, 2)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(aged("a", 1, queue="gpu"), id="queue"),
        pytest.param(aged("a", 1, priority="high"), id="priority"),
        pytest.param(replace(aged("a", 1), key=JobKey("team", "a", "uid-a")), id="namespace"),
        pytest.param(replace(aged("a", 1), status=Status(phase=Phase.QUEUED)), id="sent-before"),
        pytest.param(replace(aged("a", 1), status=LOST_TWICE), id="quarantine"),
    ],
)
def test_jobs_with_other_limits_are_another_group(other: Job) -> None:
    assert Group.of(other) != Group.of(aged("a", 1))


def test_a_job_whose_limits_change_moves_to_its_new_group(waiting: WaitingJobs) -> None:
    before, after = aged("a", 1), aged("a", 1, queue="gpu")
    waiting.put(before)

    waiting.put(after)

    assert list(waiting.groups) == [Group.of(after)] == list(waiting.groups_in("gpu"))
    assert (waiting.in_queue, list(waiting.groups_in("celery"))) == ({"gpu": 1}, [])


def test_a_removed_job_leaves_nothing_behind(waiting: WaitingJobs) -> None:
    waiting.put(aged("a", 1))
    waiting.remove(make_key("a"))
    waiting.remove(make_key("unknown"))

    assert (len(waiting), list(waiting.groups), waiting.in_queue) == (0, [], {})
    assert make_key("a") not in waiting
