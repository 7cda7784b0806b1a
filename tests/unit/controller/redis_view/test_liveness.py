"""Silence is counted over unbroken looks alone."""

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
        pytest.param([(0.0, False), (1.0, True), (2.0, False)], [0.0, 0.0, 0.0], id="a beat starts it anew"),
        pytest.param([(0.0, False), (60.0, False), (61.0, False)], [0.0, 0.0, 1.0], id="a gap counts for nothing"),
        pytest.param([(0.0, False), (5.0, False), (10.0, False)], [0.0, 5.0, 10.0], id="just no gap"),
    ],
)
def test_seconds_of_silence(looks: list[tuple[float, bool]], expected: list[float]) -> None:
    tracker = LivenessTracker(gap_seconds=5.0)

    assert [tracker.saw(TASK, alive=alive, now=now) for now, alive in looks] == expected


def test_while_redis_was_away_nothing_is_counted() -> None:
    tracker = LivenessTracker(gap_seconds=5.0)
    tracker.saw(TASK, alive=False, now=0.0)
    tracker.saw(TASK, alive=False, now=4.0)
    tracker.interrupted()

    assert tracker.saw(TASK, alive=False, now=5.0) == 0.0


def test_tasks_are_silent_each_for_itself() -> None:
    tracker = LivenessTracker(gap_seconds=5.0)
    tracker.saw(TASK, alive=False, now=0.0)
    tracker.saw(OTHER, alive=False, now=1.0)

    assert tracker.saw(TASK, alive=False, now=2.0) == 2.0
    assert tracker.saw(OTHER, alive=False, now=2.0) == 1.0
