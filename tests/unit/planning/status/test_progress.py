from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import Condition, Phase, Status
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.planning.status.progress import Advance, advance, done, halted

from tests.support.plans import NOW, TIMING

BEFORE = NOW - timedelta(seconds=10)
OLD = Progress(30, "Running reconstruction", 3, 6, 100, "1m40s", "30%", BEFORE)
STORED = Status(
    phase=Phase.RUNNING,
    attempt=1,
    progress=OLD,
    message="Running reconstruction: depth map 1/12",
    conditions=(Condition("Running", "True", "Started", "", BEFORE, 1),),
)
REPORT = ProgressReport(30, "Running reconstruction", 3, 0.2, NOW - timedelta(seconds=25), NOW, "depth map 1/12")


def test_the_first_report_is_written() -> None:
    first = Advance(replace(OLD, last_update_time=NOW), "Running reconstruction: depth map 1/12")

    assert advance(replace(STORED, progress=None), REPORT, NOW, TIMING) == first


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(REPORT, id="the-same-again"),
        pytest.param(None, id="none"),
        pytest.param(replace(REPORT, percent=29), id="fewer-percent"),
        pytest.param(replace(REPORT, step_index=2, percent=40), id="an-earlier-step"),
    ],
)
def test_a_report_without_news_changes_nothing(report: ProgressReport | None) -> None:
    assert advance(STORED, report, NOW, TIMING) == Advance(OLD, STORED.message)


@pytest.mark.parametrize(
    ("percent", "message"),
    [pytest.param(31, "depth map 1/12", id="percent"), pytest.param(30, "depth map 2/12", id="text")],
)
def test_a_change_within_a_step_is_written(percent: int, message: str) -> None:
    moved = advance(STORED, replace(REPORT, percent=percent, message=message), NOW, TIMING)

    progress = replace(OLD, percent=percent, display=f"{percent}%", last_update_time=NOW)
    assert moved == Advance(progress, f"Running reconstruction: {message}")


def test_changes_within_a_step_are_debounced() -> None:
    just_now = replace(STORED, progress=replace(OLD, last_update_time=NOW))

    held_back = advance(just_now, replace(REPORT, percent=31), NOW + timedelta(milliseconds=500), TIMING)

    assert held_back == Advance(just_now.progress, STORED.message, NOW + timedelta(seconds=1))


def test_progress_moves_on_after_the_clock_was_set_back() -> None:
    ahead = replace(STORED, progress=replace(OLD, last_update_time=NOW + timedelta(hours=1)))

    moved = advance(ahead, replace(REPORT, percent=31), NOW, TIMING)

    assert moved.progress == replace(OLD, percent=31, display="31%", last_update_time=NOW)


def test_tenths_of_a_percent_are_written_every_few_seconds() -> None:
    just_now = replace(STORED, progress=replace(OLD, last_update_time=NOW))
    report = replace(REPORT, percent=30.4, remaining_seconds=103.0)

    held_back = advance(just_now, report, NOW + timedelta(seconds=3), TIMING)
    assert held_back == Advance(just_now.progress, STORED.message, NOW + timedelta(seconds=4))

    moved = advance(just_now, report, NOW + timedelta(seconds=4), TIMING).progress
    assert moved is not None
    assert (moved.percent, moved.display) == (30, "30.4%")


def test_a_new_step_is_written_at_once() -> None:
    just_now = replace(STORED, progress=replace(OLD, last_update_time=NOW))

    moved = advance(just_now, replace(REPORT, step="Post-processing mesh", step_index=4, percent=60), NOW, TIMING)

    assert moved.progress is not None
    assert (moved.progress.step_index, moved.progress.percent) == (4, 60)


@pytest.mark.parametrize(
    ("fraction", "eta"),
    [
        pytest.param(0.21, 100, id="six-seconds-less-are-not-worth-a-write"),
        pytest.param(0.22, 90, id="ten-seconds-less-are"),
        pytest.param(0.19, 100, id="six-seconds-more-are-not"),
        pytest.param(0.17, 120, id="twenty-seconds-more-are"),
    ],
)
def test_an_estimate_alone_is_written_only_when_it_has_changed_noticeably(fraction: float, eta: int) -> None:
    moved = advance(STORED, replace(REPORT, fraction=fraction), NOW, TIMING)

    assert moved.progress is not None
    assert moved.progress.eta_seconds == eta
    assert moved.progress.last_update_time == (BEFORE if eta == 100 else NOW)


@pytest.mark.parametrize(("reported", "expected"), [(-5, 0), (1000, 100)])
def test_a_percentage_stays_within_its_range(reported: int, expected: int) -> None:
    moved = advance(Status(), replace(REPORT, percent=reported), NOW, TIMING)

    assert moved.progress is not None
    assert moved.progress.percent == expected


def test_a_stopped_run_has_neither_step_nor_estimate() -> None:
    assert halted(OLD) == replace(OLD, step="", eta_seconds=None, eta="")
    assert halted(None) is None


def test_a_success_is_a_hundred_percent() -> None:
    assert done(STORED, NOW) == Progress(100, "", 6, 6, None, "", "100%", NOW)


def test_a_text_that_is_not_the_message_changes_nothing() -> None:
    stopping = replace(STORED, message="Stopping: the job was suspended")

    assert advance(stopping, REPORT, NOW, TIMING, show_text=False).progress is OLD
