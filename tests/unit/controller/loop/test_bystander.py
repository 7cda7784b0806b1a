"""Bystander: jobs of another installation are reported, and attempts of jobs that it has marked are stopped."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import ConditionType, InstallationMark, Status
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.bystander import Bystander
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.types import Event, Job, Management, Plan

from tests.support.jobs import NOON, make_body, make_job, make_key

MINE = Installation("mine", lease="here/operator")
THEIRS = InstallationMark("theirs", "there/operator")


def management(status: Status) -> Management:
    return Management.OURS if status.installation == MINE.mark else Management.FOREIGN


class World:
    """A bystander, with what it offers, forgets and releases."""

    def __init__(self) -> None:
        self.offered: list[Status] = []
        self.forgotten: list[JobKey] = []
        self.released: list[str] = []
        self.cache = Cache(management=management)
        parts: Any = SimpleNamespace(
            offer=self.offer, forget=self.forgotten.append, add_handed_over=lambda ids, _now: self.released.extend(ids)
        )
        self.bystander = Bystander(MINE, self.cache, parts, parts, parts, utc_now=lambda: NOON)

    def offer(self, _job: Job, status: Status, _events: tuple[Event, ...]) -> None:
        self.offered.append(status)

    def put(self, version: int, install_id: str, lease: str) -> None:
        self.cache.put(make_body(version=version, installation={"id": install_id, "lease": lease}))


def test_a_job_of_another_installation_is_reported_and_waits_for_no_dispatch() -> None:
    world = World()
    job = replace(make_job(Status(installation=THEIRS)), management=Management.FOREIGN)

    world.bystander.report_contested([job])

    assert [one.condition(ConditionType.CONTESTED) is not None for one in world.offered] == [True]
    assert world.forgotten == [job.key]


def test_a_job_that_cannot_be_reported_does_not_stop_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of ours are in the same round."""
    reported = installations.contested_report

    def fail(job: Job, *known: Any) -> Plan:
        if job.key == make_key("bad"):
            raise OverflowError("date value out of range")
        return reported(job, *known)

    monkeypatch.setattr(installations, "contested_report", fail)
    world = World()
    theirs = replace(make_job(Status(installation=THEIRS)), management=Management.FOREIGN)

    world.bystander.report_contested([replace(theirs, key=make_key("bad")), theirs])

    assert len(world.offered) == 1


def test_a_job_is_released_when_the_other_installation_has_marked_it() -> None:
    world = World()
    world.put(1, "mine", "here/operator")
    world.put(2, "mine", "there/operator")  # handed over, and not marked by the other installation yet
    world.bystander.release(0.0)
    assert world.released == []

    world.put(3, "theirs", "there/operator")
    world.bystander.release(0.0)
    world.bystander.release(0.0)

    assert world.released == [make_key().uid]
