from __future__ import annotations

import threading

import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.progress import StageProgress

from tests.support.engine.geometry import QUIET


def half() -> tuple[float, str]:
    return 0.5, ""


def test_nested_parts_report_their_fraction_of_the_step() -> None:
    reported: list[tuple[Step, float, str]] = []

    def report(step: Step, fraction: float, message: str = "") -> None:
        reported.append((step, fraction, message))

    inner = StageProgress(report, Step.RECONSTRUCT).part(0.5, 1.0).part(0.0, 0.5)
    inner(0.5, "half")
    inner(7.0)
    assert reported == [(Step.RECONSTRUCT, 0.625, "half"), (Step.RECONSTRUCT, 0.75, "")]


def test_during_reports_while_the_call_runs_and_returns_its_result() -> None:
    beaten = threading.Event()

    def report(step: Step, fraction: float, message: str = "") -> None:
        beaten.set()

    def call() -> str:
        return "result" if beaten.wait(60) else "no report"

    assert StageProgress(report, Step.PREPROCESS).during(call, half) == "result"


def test_during_raises_the_error_of_the_call() -> None:
    def call() -> None:
        raise MemoryError("no more")

    with pytest.raises(MemoryError, match="no more"):
        QUIET.during(call, half)
