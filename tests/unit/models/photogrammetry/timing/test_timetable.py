"""The timetable on a clock that the test sets; its thread on the real one."""

from __future__ import annotations

import threading

from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.timing.costs import Learned, Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable


def expected(_: Learned) -> dict[Stage, float]:
    return dict.fromkeys(Stage, 10.0)


def test_the_seconds_of_each_step_are_counted() -> None:
    seconds = 0.0
    timetable = Timetable(lambda *_, **__: None, expected, clock=lambda: seconds)
    for stage, after in ((Stage.PHOTOS, 10.0), (Stage.FEATURES, 15.0), (Stage.MATCHES, 18.0), (Stage.ALIGNMENT, 18.5)):
        seconds = after
        timetable.stage(stage)(1.0)
    seconds = 19.0
    assert timetable.taken_seconds() == {Step.PREPROCESS: 15.0, Step.RECONSTRUCT: 4.0}


def test_progress_moves_while_a_stage_reports_nothing() -> None:
    heard: list[float] = []
    moved = threading.Event()

    def report(_: Step, fraction: float, message: str = "", **__: object) -> None:
        heard.append(fraction)
        if len(heard) == 2:
            moved.set()

    with Timetable(report, expected) as timetable:
        timetable.stage(Stage.PHOTOS)(0.1, "photo 1/10")
        assert moved.wait(60), f"{len(heard)} reports"
    assert heard[0] < heard[1]


def test_a_resumed_run_reports_its_stage_first() -> None:
    heard: list[str] = []
    beaten = threading.Event()

    def report(_: Step, fraction: float, message: str = "", *, resumed: str = "", **__: object) -> None:
        heard.append(resumed)

    def clock() -> float:
        if threading.current_thread() is not threading.main_thread():
            beaten.set()
        return 0.0

    with Timetable(report, expected, clock) as timetable:
        assert beaten.wait(60)
        timetable.resume(Stage.MATCHES, "matches of attempt 1")
    assert heard[0] == "matches of attempt 1"


def test_a_resumed_run_does_not_go_back_to_an_earlier_step() -> None:
    steps: list[Step] = []
    timetable = Timetable(lambda step, *_, **__: steps.append(step), expected, clock=lambda: 0.0)
    timetable.resume(Stage.SURFACE, "surface of an earlier run")
    for stage in (Stage.VIEWS, Stage.CLEANING):
        timetable.stage(stage)(1.0)
    assert steps == [Step.POSTPROCESS] * 2
