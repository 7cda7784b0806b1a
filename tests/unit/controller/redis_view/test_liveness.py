"""Liveness: silence is counted only over an unbroken connection."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.controller.redis_view.liveness import LivenessTracker

TASK, OTHER = TaskId("uid-a", 1), TaskId("uid-b", 1)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(0.0, True), (1.0, True)], [0.0, 0.0], id="alive"),
        pytest.param([(0.0, False), (1.0, False), (2.5, False)], [0.0, 1.0, 2.5], id="silent since the first look"),
        pytest.param(
            [(0.0, True), (3.0, False), (4.0, False)], [0.0, 0.0, 1.0], id="counted from the first silent look"
        ),
        pytest.param([(0.0, False), (1.0, True), (2.0, False)], [0.0, 0.0, 0.0], id="a heartbeat restarts the count"),
        pytest.param([(0.0, False), (60.0, False), (61.0, False)], [0.0, 0.0, 1.0], id="a gap counts for nothing"),
        pytest.param([(0.0, False), (5.0, False), (10.0, False)], [0.0, 5.0, 10.0], id="looks just close enough"),
    ],
)
def test_silence_is_counted_from_the_first_look_without_a_heartbeat(
    looks: list[tuple[float, bool]], expected: list[float]
) -> None:
    tracker = LivenessTracker(gap_seconds=5.0)

    assert [tracker.saw(TASK, alive=alive, now=now, contact=1) for now, alive in looks] == expected


def test_silence_is_counted_again_after_an_interruption() -> None:
    tracker = LivenessTracker(gap_seconds=5.0)
    looks = ((0.0, 1), (4.0, 1), (5.0, 2), (6.0, 2))

    silent = [tracker.saw(TASK, alive=False, now=now, contact=contact) for now, contact in looks]
    assert silent == [0.0, 4.0, 0.0, 1.0]


def test_the_silence_of_each_task_is_counted_separately() -> None:
    tracker = LivenessTracker(gap_seconds=5.0)
    looks = ((TASK, 0.0), (OTHER, 1.0), (TASK, 2.0), (OTHER, 2.0))

    assert [tracker.saw(task, alive=False, now=now, contact=1) for task, now in looks] == [0.0, 0.0, 2.0, 1.0]
