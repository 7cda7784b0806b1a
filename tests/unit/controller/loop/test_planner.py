"""Planner: a batch is planned with the facts of admission, and jobs that can be dispatched are sent
in the same round.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from reconstruction_operator.api.status import ConditionType, InstallationMark, Phase, Status
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.planner import Planner
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.planning.actions import Dispatch
from reconstruction_operator.planning.quotas import Quotas, Rules
from reconstruction_operator.planning.types import Job, Management, Observation, Plan

from tests.support.controller.dispatch import make_admission, read
from tests.support.controller.entries import entry_of, names
from tests.support.jobs import NOON, make_body, make_key
from tests.support.plans import TIMING, observed

MARK = InstallationMark("install", "here/operator")


class Desk:
    """A planner of these jobs, which are unknown to Redis."""

    def __init__(self, *names: str, management: Management = Management.OURS, **limits: Any) -> None:
        self.now = 100.0
        self.failed: list[Entry] = []
        self.cache = Cache(management=lambda _: management, monotonic=lambda: self.now)
        for name in names:
            self.cache.put(make_body(name))
        admission = make_admission(self.cache, **limits)
        unused: Any = None  # no job is contested
        self.catalogue = Catalogue()
        self.preflight = Preflight(self.cache, unused, unused, "install", 2.0, lambda: self.now)
        self.planner = Planner(
            self.cache, admission, self.preflight, self.catalogue, MARK, TIMING, self.failed.append, lambda: self.now
        )

    def entry(self, name: str) -> Entry:
        return entry_of(self.cache, name)

    def plan(self, *names: str, **seen: Observation) -> list[tuple[Entry, Job, Plan]]:
        """Plan these jobs. `seen` has what is observed of some, by their names."""
        entries = [self.entry(name) for name in names]
        looks = ((entry, entry.job, seen.get(entry.key.name, Observation())) for entry in entries)
        return self.planner.plan(looks, NOON)


def dispatched(planned: list[tuple[Entry, Job, Plan]]) -> list[str]:
    return [
        entry.key.name for entry, _, plan in planned if any(isinstance(action, Dispatch) for action in plan.actions)
    ]


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

    phases = {entry.key.name: plan.status.phase for entry, _, plan in planned}
    assert phases == {name: Phase.QUEUED if name in expected else Phase.PENDING for name in "abc"}
    assert dispatched(planned) == expected


def test_a_job_that_is_admitted_outside_of_the_batch_is_enqueued() -> None:
    desk = Desk("a", "b", "c", queue=1)
    assert dispatched(desk.plan("a", "b")) == ["a"]
    desk.cache.drop(make_key("a"))
    desk.cache.take(9)

    assert dispatched(desk.plan("c")) == []
    assert names(desk.cache.take(9)) == ["b"]


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

    assert names(desk.cache.take(9)) == ["a"]


def test_new_jobs_that_come_together_are_counted_against_the_quota_of_waiting_jobs() -> None:
    desk = Desk("a", "b", "c", "d", "e", rules=Rules(Quotas(waiting=(("*", 2),))), queue=1)

    phases = [plan.status.phase for *_, plan in desk.plan("a", "b", "c", "d", "e")]

    assert phases.count(Phase.FAILED) == 3


def test_a_job_that_cannot_be_reported_is_skipped_and_the_others_are_reported_once() -> None:
    desk = Desk("a", "b", management=Management.FOREIGN)
    bad = desk.entry("a")
    good = desk.entry("b")
    broken = cast(Any, object())
    bad.job = replace(bad.job, status=broken)
    good.job = replace(good.job, status=Status(installation=InstallationMark("other", "there/operator")))
    desk.planner.admission.wants(good)

    ((reported, plan),) = desk.planner.report_contested([bad, good])

    assert (reported, plan.status.condition(ConditionType.CONTESTED) is not None) == (good, True)
    assert (desk.failed, desk.planner.admission.admit(desk.now)) == ([bad], [])
    good.job = replace(good.job, status=plan.status)
    assert desk.planner.report_contested([good]) == []


def test_a_job_that_cannot_be_planned_is_skipped_and_the_others_are_planned(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk("a", "b", queue=1)
    broken: Any = object()
    desk.planner.admission.wants(desk.entry("a"))

    planned = desk.plan("a", "b", a=observed(record=broken))

    assert [entry.key.name for entry, *_ in planned] == dispatched(planned) == ["b"]
    assert desk.failed == [desk.entry("a")]
    assert "could not be planned" in caplog.text


def test_a_job_that_was_deleted_while_it_was_observed_is_not_planned() -> None:
    desk = Desk("a", "b")
    deleted = desk.entry("a")
    other = desk.entry("b")
    desk.cache.remove(deleted.key)

    planned = desk.planner.plan([(entry, entry.job, Observation()) for entry in (deleted, other)], NOON)

    assert dispatched(planned) == ["b"]
    assert not deleted.waiting
