"""Brake: which deletions are held, and until when."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.controller.loop.brake import Brake
from reconstruction_operator.planning.actions import DeleteFiles, DeleteObject, Dispatch
from reconstruction_operator.planning.types import Event


@pytest.fixture
def brake() -> Brake:
    return Brake(at_once=3, share=0.1, restore_hold_seconds=3600.0)


def ids(number: int) -> list[str]:
    return [f"job-{index}" for index in range(number)]


@pytest.mark.parametrize(
    ("found", "among", "admitted"),
    [
        pytest.param(3, 4, True, id="the-number"),
        pytest.param(4, 4, False, id="more-than-the-number"),
        pytest.param(10, 100, True, id="the-share"),
        pytest.param(11, 100, False, id="more-than-the-share"),
    ],
)
def test_orphans_above_number_and_share_are_held(brake: Brake, found: int, among: int, admitted: bool) -> None:
    brake.note(None)

    assert list(brake.admit("records", ids(found), among)) == (ids(found) if admitted else [])
    assert brake.holds is not admitted
    assert ("job-0" in brake) is not admitted


def test_the_brake_releases_orphans_once_there_are_fewer(brake: Brake) -> None:
    brake.note(None)
    brake.admit("records", ids(9), 9)
    brake.admit("job folders", ids(2), 9)

    assert list(brake.admit("records", ids(3), 9)) == ids(3)
    assert not brake.holds


def test_after_a_restore_every_orphan_is_held_for_a_time(brake: Brake) -> None:
    brake.note(60.0)
    assert list(brake.admit("records", ["job-0"], 100)) == []
    assert "job-0" in brake

    brake.note(3600.0)
    assert "job-0" not in brake  # so that it is found again
    assert list(brake.admit("records", ["job-0"], 100)) == ["job-0"]


def test_a_hold_of_no_seconds_holds_nothing() -> None:
    brake = Brake(at_once=3, share=0.1, restore_hold_seconds=0.0)
    brake.note(0.0)
    assert not brake.holds


def test_only_deletions_for_a_time_to_live_wait(brake: Brake) -> None:
    actions = (Dispatch(TaskId("job", 1), "q"), DeleteFiles("q"), DeleteFiles("q", expired=True), DeleteObject())

    assert brake.permitted(actions) == actions[:2]  # not known yet whether etcd was restored
    brake.note(None)
    assert brake.permitted(actions) == actions


def test_each_hold_and_its_end_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[Event] = []
    brake = Brake(at_once=3, share=0.1, restore_hold_seconds=3600.0, report=reported.append)

    brake.note(60.0)
    brake.note(120.0)
    brake.note(3600.0)
    brake.admit("records", ids(9), 9)
    brake.admit("records", ids(9), 9)
    brake.admit("records", ids(3), 9)
    brake.admit("records", ids(3), 9)

    assert [(one.type, one.reason) for one in reported] == 2 * [
        ("Warning", "DeletionsHeld"),
        ("Normal", "DeletionsReleased"),
    ]
    assert caplog.messages == [one.message for one in reported]
    assert "for 3540 s. RESTORE_HOLD_SECONDS=0 ends the hold" in reported[0].message
    assert "9 of 9 records" in reported[2].message
