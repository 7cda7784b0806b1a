"""Planner: a batch is planned with the facts of admission, and jobs that can be dispatched are sent in the same round."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import InstallationMark, Phase
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.preflight import Checked, Verdict
from reconstruction_operator.contract.records import Claim
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.planner import Planned, Planner
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.planning.actions import Dispatch, TakeClaim
from reconstruction_operator.planning.types import Job, Management, Observation, Queue
from reconstruction_operator.state.replies import WorkerInfo

from tests.support.controller.dispatch import make_admission, read
from tests.support.jobs import NOON, make_body, make_key
from tests.support.plans import TIMING

MARK = InstallationMark("install", "here/operator")


class Desk:
    """A planner of these jobs, which are unknown to Redis."""

    def __init__(self, *names: str, management: Management = Management.OURS, **window: int) -> None:
        self.now = 100.0
        self.failed: list[JobKey] = []
        self.cache = Cache(management=lambda _: management, monotonic=lambda: self.now)
        for name in names:
            self.cache.put(make_body(name))
        admission = make_admission(self.cache, **window)
        unused: Any = None  # no job is contested
        self.catalogue = Catalogue()
        self.preflight = Preflight(self.cache, unused, unused, "install", 2.0, lambda: self.now)
        self.planner = Planner(
            self.cache,
            admission,
            self.preflight,
            self.catalogue,
            MARK,
            TIMING,
            self.failed.append,
            lambda: self.now,
        )

    def job(self, name: str) -> Job:
        return self.cache.get(make_key(name))

    def plan(self, *names: str, **seen: Any) -> list[Planned]:
        return self.planner.plan([(self.job(name), Observation(**seen)) for name in names], NOON)


def dispatched(planned: list[Planned]) -> list[str]:
    return [one.job.key.name for one in planned if any(isinstance(action, Dispatch) for action in one.plan.actions)]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        pytest.param({}, ["a", "b", "c"], id="room for all"),
        pytest.param({"queue": 2}, ["a", "b"], id="room for two"),
        pytest.param({"namespace": 1}, ["a"], id="room for one of the namespace"),
    ],
)
def test_jobs_with_room_are_dispatched_in_their_first_round(window: dict[str, int], expected: list[str]) -> None:
    planned = Desk("a", "b", "c", **window).plan("a", "b", "c")

    assert [one.job.key.name for one in planned] == ["a", "b", "c"]
    assert dispatched(planned) == expected
    assert {one.plan.status.phase for one in planned} <= {Phase.QUEUED, Phase.PENDING}


def test_a_job_that_is_admitted_outside_of_the_batch_is_enqueued() -> None:
    desk = Desk("a", "b", "c", queue=1)
    assert dispatched(desk.plan("a", "b")) == ["a"]
    desk.planner.forget(make_key("a"))
    desk.cache.take(9)

    assert dispatched(desk.plan("c")) == []
    assert desk.cache.take(9) == [make_key("b")]


def test_a_job_that_a_worker_takes_makes_room_for_another_one_at_once() -> None:
    desk = Desk("a", "b", namespace=1)
    assert dispatched(desk.plan("a", "b")) == ["a"]
    desk.cache.take(9)

    desk.plan("a", claim=Claim("token", "worker-1", by_operator=False, at=NOON), alive=True)

    assert desk.cache.take(9) == [make_key("b")]


def test_jobs_are_enqueued_when_their_queue_gets_a_worker_once_a_second() -> None:
    desk = Desk("a")
    read(desk.planner.admission.queues)
    assert dispatched(desk.plan("a")) == []
    desk.cache.take(9)
    read(desk.planner.admission.queues, "celery")

    desk.planner.enqueue_admitted()
    assert desk.cache.take(9) == []
    desk.now += 1.0
    desk.planner.enqueue_admitted()

    assert desk.cache.take(9) == [make_key("a")]


def test_a_job_that_cannot_be_planned_is_skipped_and_the_others_are_planned(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk("a", "b", queue=1)
    broken: Any = object()
    desk.planner.admission.wants(desk.job("a"))

    planned = desk.planner.plan([(desk.job("a"), Observation(record=broken)), (desk.job("b"), Observation())], NOON)

    assert [one.job.key.name for one in planned] == ["b"]
    assert dispatched(planned) == ["b"]
    assert desk.failed == [make_key("a")]
    assert "could not be planned" in caplog.text


def test_a_new_job_is_sent_and_its_first_status_has_our_mark() -> None:
    (made,) = Desk("a", management=Management.UNMARKED).plan("a")

    assert dispatched([made]) == ["a"]
    assert (made.plan.status.phase, made.plan.status.installation) == (Phase.QUEUED, MARK)


def announce(desk: Desk, **models: ModelInfo) -> None:
    """A worker of queue celery announces these models."""
    worker = WorkerInfo("w@a", ("celery",), announced="digest")
    desk.catalogue.update((worker,), {"digest": models})


def test_a_job_whose_model_no_worker_has_is_held_and_does_not_wait_for_room() -> None:
    desk = Desk("a")
    announce(desk, photogrammetry=ModelInfo())

    (made,) = desk.plan("a", queue=Queue(workers=1))

    assert (dispatched([made]), made.plan.status.phase) == ([], Phase.PENDING)
    assert made.plan.status.message.startswith("Waiting for a worker with model placeholder: ")
    announce(desk, placeholder=ModelInfo())
    assert dispatched(desk.plan("a")) == ["a"]


def test_parameters_that_no_worker_accepts_fail_a_job_that_was_not_sent() -> None:
    desk = Desk("a")
    announce(desk, placeholder=ModelInfo(parameters={"required": ["stepSeconds"]}))

    (made,) = desk.plan("a")

    assert made.plan.status.phase is Phase.FAILED
    assert made.plan.status.failure is not None
    assert made.plan.status.failure.reason == "INVALID_PARAMETERS"


def test_the_finding_of_a_preflight_check_reaches_the_plan() -> None:
    desk = Desk("a")
    desk.preflight._results[make_key("a")] = Checked(Verdict.UNUSABLE, reason="INPUT_NOT_FOUND", message="no folder")

    (made,) = desk.plan("a")

    assert [one.reason for one in made.plan.actions if isinstance(one, TakeClaim)] == ["INPUT_NOT_FOUND"]
