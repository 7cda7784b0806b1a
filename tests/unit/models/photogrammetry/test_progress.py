from __future__ import annotations

import threading

import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.progress import Progress, nearing_the_end


class Reported(list[tuple[Step, float, str]]):
    def __call__(self, step: Step, fraction: float, message: str = "") -> None:
        self.append((step, round(fraction, 6), message))


def half(passed_seconds: float) -> tuple[float, str]:
    return 0.5, ""


def test_a_part_of_a_part_reports_its_place_in_the_whole() -> None:
    reported = Reported()
    inner = Progress(reported, Step.RECONSTRUCT).part(0.5, 1.0).part(0.0, 0.5)
    inner(0.5, "half")
    inner(7.0)
    assert reported == [(Step.RECONSTRUCT, 0.625, "half"), (Step.RECONSTRUCT, 0.75, "")]


def test_a_long_call_is_reported_while_it_runs_and_gives_its_result() -> None:
    beaten = threading.Event()

    def report(step: Step, fraction: float, message: str = "") -> None:
        beaten.set()

    def call() -> str:
        return "result" if beaten.wait(60) else "nobody reported"

    assert Progress(report, Step.PREPROCESS).during(call, half) == "result"


def test_what_a_long_call_raises_is_raised_to_its_caller() -> None:
    def call() -> None:
        raise MemoryError("no more")

    with pytest.raises(MemoryError, match="no more"):
        Progress(Reported(), Step.PREPROCESS).during(call, half)


def test_a_stop_while_reporting_does_not_wait_for_the_call() -> None:
    never = threading.Event()

    def report(step: Step, fraction: float, message: str = "") -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Progress(report, Step.PREPROCESS).during(never.wait, half)
    never.set()


def test_what_cannot_be_measured_goes_forward_and_never_says_that_it_is_done() -> None:
    fractions = [nearing_the_end(passed, 10.0) for passed in (0, 1, 10, 100, 1000)]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] < 1
